//! How a row that points is compared with the row that it points to: as the database's own foreign key compares the two,
//! which is by the column that is pointed to.

use super::node::{Branch, OwnedRow};
use crate::policy::{Engine, TableName};
use crate::sources::sql::dialect::{KeyTerms, Term, separated};
use crate::sources::{ColumnType, Sql};

impl Term {
    /// True if `own` compares its texts in another way than `parent`, which it points to.
    fn compares_unlike(&self, parent: &Term, engine: Engine) -> bool {
        if [self.kind(), parent.kind()] != [ColumnType::Text; 2] {
            // A column of another type has no letters to be lax about.
            return false;
        }
        match engine {
            // How a column without an index compares is not known.
            Engine::Sqlite => self.collation().is_none() || self.collation() != parent.collation(),
            Engine::MySql => self.collation() != parent.collation(),
            Engine::Postgres => self.collation() != parent.collation() || self.is_citext() != parent.is_citext(),
        }
    }

    /// True if it tells any two different texts apart.
    fn is_exact(&self, engine: Engine) -> bool {
        match (engine, self.collation()) {
            (Engine::MySql, Some(collation)) => collation.ends_with("_bin") || collation == "binary",
            (Engine::Sqlite, Some(collation)) => collation.eq_ignore_ascii_case("`BINARY`"),
            (Engine::Postgres, Some(_)) => false,
            (_, None) => !self.is_citext(),
        }
    }

    /// Writes the column that points (with `own`, its name) so that it compares as `parent` does.
    fn push_as(&self, sql: &mut Sql, parent: &Term, own: &dyn Fn(&mut Sql)) {
        let (before, after) = match (sql.engine(), parent.collation()) {
            (Engine::MySql, Some(collation)) => {
                let charset = collation.split('_').next().unwrap_or("utf8mb4");
                ("(CONVERT(", format!(" USING {charset}) COLLATE {collation})"))
            }
            (Engine::MySql, None) => ("(", ")".to_owned()),
            (Engine::Sqlite, collation) => ("(CAST(", format!(" AS TEXT) COLLATE {})", collation.unwrap_or("BINARY"))),
            (Engine::Postgres, Some(collation)) => ("((", format!(")::text COLLATE {collation})")),
            (Engine::Postgres, None) if parent.is_citext() => ("((", format!(")::{})", parent.declared())),
            (Engine::Postgres, None) => ("((", ")::text COLLATE \"C\")".to_owned()),
        };
        sql.push(before);
        own(sql);
        sql.push(&after);
    }
}

impl Branch {
    /// Writes "points to one of `values`". The values are those of the columns that are pointed to, and of their types:
    /// an integer may be too large for the column that points, and to SQLite a number is no text.
    pub(crate) fn push_among(&self, sql: &mut Sql, values: &[Vec<String>]) {
        let engine = sql.engine();
        let of_parent = |own: &Term, parent: &Term| match engine {
            Engine::Sqlite => true,
            Engine::Postgres | Engine::MySql => [own.kind(), parent.kind()] == [ColumnType::Integer; 2],
        };
        let pairs: Vec<_> =
            self.columns.0.iter().zip(&self.referenced).map(|(own, (parent, _))| (own, parent)).collect();
        let types = pairs.iter().map(|(own, parent)| if of_parent(own, parent) { parent } else { own });
        let types = KeyTerms(types.map(|term| Term::clone(term)).collect());
        let unlike = |(own, parent): &&(&Term, &Term)| own.compares_unlike(parent, engine);
        // An index of the column that points serves where it finds at least what the other comparison finds.
        if pairs.iter().filter(unlike).all(|(_, parent)| parent.is_exact(engine)) {
            self.columns.push_among_values(sql, values, &types);
            if !pairs.iter().any(|pair| unlike(&pair)) {
                return;
            }
            sql.push(" AND ");
        }
        let parents = KeyTerms(pairs.iter().map(|(_, parent)| Term::clone(parent)).collect());
        let as_parents = KeyTerms(
            pairs.iter().zip(&types.0).map(|(pair, term)| if unlike(&pair) { pair.1 } else { term }.clone()).collect(),
        );
        self.columns.push_written_among(sql, values, &as_parents, |sql, position, column| {
            let parent = &parents.0[position];
            match column.compares_unlike(parent, sql.engine()) {
                true => column.push_as(sql, parent, &|sql| column.push(sql)),
                false => column.push(sql),
            }
        });
    }

    /// Writes "the row that `own` writes the columns of points to the row of `parent`".
    pub(crate) fn push_joined(&self, sql: &mut Sql, parent: &TableName, own: &dyn Fn(&mut Sql, &Term)) {
        let pairs: Vec<_> = self.columns.0.iter().zip(&self.referenced).collect();
        separated(sql, " AND ", &pairs, |sql, (column, (referenced, _))| {
            // The side on the left is whose collation SQLite compares by.
            referenced.push_of(sql, parent);
            sql.push(" = ");
            match column.compares_unlike(referenced, sql.engine()) && sql.engine() != Engine::Sqlite {
                true => column.push_as(sql, referenced, &|sql| own(sql, column)),
                false => own(sql, column),
            }
        });
    }

    /// What rows that point to some of `rows` have in the columns that point; NULL is pointed to by nothing.
    pub(crate) fn values(&self, rows: &[OwnedRow]) -> Vec<Vec<String>> {
        let places: Vec<_> = self.referenced.iter().map(|(_, place)| *place).collect();
        rows.iter().filter_map(|row| row.texts(&places).into_iter().collect()).collect()
    }
}
