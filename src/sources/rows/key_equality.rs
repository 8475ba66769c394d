//! Comparison of a row that points with the row that it points to: as the database's own foreign key compares the two,
//! which is by the column that is pointed to.

use super::node::{Branch, OwnedRow};
use crate::policy::TableName;
use crate::sources::sql::dialect::Traits;
use crate::sources::sql::keys::KeyTerms;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, Sql};

impl Term {
    /// True if `own` compares its texts in another way than `parent`, which it points to. A column of another type has no
    /// letters to be lax about.
    fn compares_unlike(&self, parent: &Term, traits: &Traits) -> bool {
        let are_texts = [self.kind(), parent.kind()] == [ColumnType::Text; 2];
        are_texts && traits.compares_unlike(self.typed(), parent.typed())
    }

    /// Writes the column that points (with `own`, its name) so that it compares as `parent` does.
    fn push_as(&self, sql: &mut Sql, parent: &Term, own: &dyn Fn(&mut Sql)) {
        let (before, behind) = sql.dialect().compared_as(parent.typed());
        sql.push(&before).with(own).push(&behind);
    }
}

impl Branch {
    /// Writes "points to one of `values`". The values are those of the columns that are pointed to, and of their types:
    /// an integer may be too large for the column that points, and to SQLite a number is no text.
    pub(crate) fn push_among(&self, sql: &mut Sql, values: &[Vec<String>]) {
        let traits = sql.traits();
        let of_parent = |own: &Term, parent: &Term| {
            traits.binds_as_referenced || [own.kind(), parent.kind()] == [ColumnType::Integer; 2]
        };
        let pairs: Vec<_> =
            self.columns.0.iter().zip(&self.referenced).map(|(own, (parent, _))| (own, parent)).collect();
        let types = pairs.iter().map(|(own, parent)| if of_parent(own, parent) { parent } else { own });
        let types = KeyTerms(types.map(|term| Term::clone(term)).collect());
        let unlike = |(own, parent): &&(&Term, &Term)| own.compares_unlike(parent, traits);
        // An index of the column that points serves where it finds at least what the other comparison finds.
        if pairs.iter().filter(unlike).all(|(_, parent)| traits.is_exact(parent.typed())) {
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
            match column.compares_unlike(parent, traits) {
                true => column.push_as(sql, parent, &|sql| column.push(sql)),
                false => column.push(sql),
            }
        });
    }

    /// Writes "the row that `own` writes the columns of points to the row of `parent`".
    pub(crate) fn push_joined(&self, sql: &mut Sql, parent: &TableName, own: &dyn Fn(&mut Sql, &Term)) {
        let pairs: Vec<_> = self.columns.0.iter().zip(&self.referenced).collect();
        sql.separated(" AND ", &pairs, |sql, (column, (referenced, _))| {
            sql.with(|sql| referenced.push_of(sql, parent)).push(" = ");
            match column.compares_unlike(referenced, sql.traits()) && !sql.traits().left_collation_counts {
                true => column.push_as(sql, referenced, &|sql| own(sql, column)),
                false => own(sql, column),
            }
        });
    }

    /// Values that the columns that point have in rows that point to some of `rows`; NULL is pointed to by nothing.
    pub(crate) fn values(&self, rows: &[OwnedRow]) -> Vec<Vec<String>> {
        let places: Vec<_> = self.referenced.iter().map(|(_, place)| *place).collect();
        rows.iter().filter_map(|row| row.texts(&places).into_iter().collect()).collect()
    }
}
