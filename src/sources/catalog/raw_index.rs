//! Indexes as the catalogs list them, and the keys that they make.

use super::listing::cells;
use super::table::{Column, IndexFacts};
use crate::policy::Ident;
use crate::sources::TextRow;

/// An index as the catalogs list it: column by column.
pub(super) struct RawIndex {
    name: String,
    pub(super) primary: bool,
    unique: bool,
    columns: Vec<RawIndexColumn>,
}

pub(super) struct RawIndexColumn {
    name: String,
    descending: bool,
    /// It is sorted by the plain value: not by a prefix, another collation or an unusual operator class.
    plain: bool,
    /// Values that begin alike are neighbours.
    by_beginning: bool,
}

impl RawIndex {
    /// Collects rows of (index, primary, unique, column, descending, plain, by its beginning), an index's rows being
    /// neighbours; flags are "1" or something else.
    pub(super) fn collect(rows: Vec<TextRow>) -> Vec<RawIndex> {
        let mut indexes: Vec<RawIndex> = Vec::new();
        for row in rows {
            let [name, primary, unique, column, descending, plain, by_beginning] = cells(row);
            let (descending, plain, by_beginning) = (descending == "1", plain == "1", by_beginning == "1");
            let column = RawIndexColumn { name: column, descending, plain, by_beginning };
            match indexes.last_mut() {
                Some(last) if last.name == name => last.columns.push(column),
                _ => {
                    let (primary, unique) = (primary == "1", unique == "1");
                    indexes.push(RawIndex { name, primary, unique, columns: vec![column] });
                }
            }
        }
        indexes
    }

    /// All its columns.
    pub(super) fn idents(&self) -> Option<Vec<Ident>> {
        self.columns.iter().map(|column| Ident::parse(&column.name).ok()).collect()
    }

    /// Its leading columns that are plain and sorted in one direction: read forwards or backwards, they are in order.
    pub(super) fn facts(&self) -> Option<IndexFacts> {
        let descending = self.columns.first()?.descending;
        let leading = self.columns.iter().take_while(|column| column.plain && column.descending == descending);
        let columns: Vec<Ident> = leading.map(|column| Ident::parse(&column.name).ok()).collect::<Option<_>>()?;
        let unique = self.unique && columns.len() == self.columns.len();
        (!columns.is_empty()).then(|| IndexFacts { name: self.name.clone(), columns, unique })
    }
}

/// The primary key, else the shortest unique index whose columns are all NOT NULL: with a NULL in it, a unique index
/// lets the same key come twice.
pub(super) fn choose_key(indexes: &[RawIndex], columns: &[Column]) -> Vec<Ident> {
    let not_null = |ident: &Ident| columns.iter().any(|column| column.name == *ident && !column.nullable);
    let unique = indexes.iter().filter(|index| index.unique);
    let candidates = unique.filter_map(|index| {
        let key = index.idents()?;
        key.iter().all(not_null).then_some((!index.primary, key.len(), &index.name, key))
    });
    candidates
        .min_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)))
        .map_or(Vec::new(), |(.., key)| key)
}

/// The columns that an index begins with by whose order values that begin alike are neighbours.
pub(super) fn beginnings(indexes: &[RawIndex]) -> Vec<Ident> {
    let leading = indexes.iter().filter_map(|index| index.columns.first()).filter(|column| column.by_beginning);
    leading.filter_map(|column| Ident::parse(&column.name).ok()).collect()
}

/// The columns of each unique index.
pub(super) fn unique_keys(indexes: &[RawIndex]) -> Vec<Vec<Ident>> {
    indexes.iter().filter(|index| index.unique).filter_map(RawIndex::idents).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::ColumnType;

    fn index(name: &str, primary: bool, columns: &[(&str, bool, bool)]) -> RawIndex {
        let columns = columns.iter().map(|(name, descending, plain)| RawIndexColumn {
            name: (*name).to_owned(),
            descending: *descending,
            plain: *plain,
            by_beginning: false,
        });
        RawIndex { name: name.to_owned(), primary, unique: true, columns: columns.collect() }
    }

    fn column(name: &str, nullable: bool) -> Column {
        let name = Ident::parse(name).unwrap();
        Column {
            name,
            declared: "int".to_owned(),
            kind: ColumnType::Integer,
            nullable,
            generated: false,
            collation: None,
        }
    }

    fn names(idents: &[Ident]) -> Vec<&str> {
        idents.iter().map(Ident::as_str).collect()
    }

    #[test]
    fn d14_a_key_is_unique_for_certain() {
        let columns = [column("a", false), column("b", false), column("c", true)];
        let (pair, nullable) =
            (index("pair", false, &[("a", false, true), ("b", false, true)]), index("c", false, &[("c", false, true)]));
        assert_eq!(names(&choose_key(&[nullable, pair], &columns)), ["a", "b"]);
        let (long, short) =
            (index("z", true, &[("a", false, true), ("b", false, true)]), index("a", false, &[("b", false, true)]));
        assert_eq!(names(&choose_key(&[short, long], &columns)), ["a", "b"]);
        assert!(choose_key(&[index("c", false, &[("c", false, true)])], &columns).is_empty());
        let mut plain = index("a", false, &[("a", false, true)]);
        plain.unique = false;
        assert!(choose_key(&[plain], &columns).is_empty());
    }

    #[test]
    fn an_index_counts_as_far_as_ordered() {
        let facts = |columns: &[(&str, bool, bool)]| index("i", false, columns).facts();
        let both = facts(&[("a", true, true), ("b", true, true)]).unwrap();
        assert_eq!((names(&both.columns), both.unique), (vec!["a", "b"], true));
        let mixed = facts(&[("a", false, true), ("b", true, true)]).unwrap();
        assert_eq!((names(&mixed.columns), mixed.unique), (vec!["a"], false));
        assert_eq!(facts(&[("a", false, false), ("b", false, true)]), None);
    }
}
