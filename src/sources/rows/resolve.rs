//! Fitting a rows policy to the facts of its tables: every name is looked up, every misfit told at once.

use super::detail::Computed;
use super::node::{FileOwner, Node};
use super::target::{Change, KeepTerms, NewValue, Protecting, Target};
use super::triggers::Veto;
use crate::policy::{
    AGE_SECS, Action, Alive, Condition, Detail, Engine, Ident, KEEP_SECS, Keep, ParamKind, Params, RowsPolicy,
    SetValue, Settings, Source, TableName,
};
use crate::sources::age::Age;
use crate::sources::sql::condition::{Bound, BoundParam, ReadAs, checked};
use crate::sources::sql::fragment::{Fragment, FragmentFitter};
use crate::sources::sql::term::Term;
use crate::sources::{Column, ColumnType, Returning, Session, SourceError, TableFacts};

/// Input of the resolution of a policy against its tables.
#[derive(Clone, Copy)]
pub struct ResolveInput<'a> {
    pub source: &'a Source,
    pub policy: &'a RowsPolicy,
    /// Values of the policy's parameters; none for a look that binds nothing (`check`).
    pub params: Option<&'a Params>,
    /// Every store and policy: rows that the database deletes by itself may own files, too.
    pub settings: &'a Settings,
}

/// Why a policy does not fit its tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("there is no table {table} in source {source_name}, or its user may not see it")]
    NoTable { source_name: crate::policy::Name, table: String },
    #[error("{table} is a {relation}; only tables can be governed")]
    NotTable { table: String, relation: String },
    #[error("table {table} has no column {column}{}", hint(suggestion))]
    NoColumn { table: String, column: String, suggestion: Option<String> },
    #[error("column {column} of table {table} is of type {declared}, which cannot tell an age{why}")]
    NoAge { table: String, column: String, declared: String, why: &'static str },
    #[error(
        "column {column} of table {table} is of type {declared}, which holds several values, and a path is one: name a \
         column of a view that has a row for each ({example})"
    )]
    NotAPath { table: String, column: String, declared: String, example: &'static str },
    #[error(
        "table {table} has no primary key and no unique key without NULLs, so its rows cannot be told apart, which {what} \
         needs"
    )]
    NoKey { table: String, what: &'static str },
    #[error("column {column} of table {table} is computed by the database and cannot be set")]
    Generated { table: String, column: String },
    #[error(
        "{columns} of {table} cannot tell one row of {parent} from the others, so that rows of {table} would go with rows \
         that stay; {fix}"
    )]
    NotOneParent { parent: String, table: String, columns: String, fix: String },
    #[error(
        "the foreign key of {table} says that {columns} points to {referenced} of {parent}; write references = {referenced}"
    )]
    OtherParent { parent: String, table: String, columns: String, referenced: String },
    #[error("column {column} of table {table} cannot be NULL, which on_delete = \"set-null\" makes it")]
    NeverNull { table: String, column: String },
    #[error(
        "rows of {table} go with rows of {table}: {path}; such a cycle cannot be followed; keep rows that others point to: \
         on_delete = \"keep-parent\""
    )]
    Cycle { table: String, path: String },
    #[error(
        "in {part} a time stands beside columns with a time zone and beside others without, and the source has a timezone; \
         compare each of them by itself"
    )]
    MixedZones { part: String },
    #[error("{table} points to itself by several keys with ON DELETE CASCADE, which cannot be followed")]
    TwoTrees { table: String },
    #[error("the parameter {name} is not given; write --param {name}=VALUE")]
    NoParam { name: String },
    #[error("the parameter {name} cannot be read: {why}")]
    BadParam { name: String, why: String },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Unfit {
    /// A column that cannot hold a path.
    pub(crate) fn not_a_path(table: &str, term: &Term) -> Self {
        let declared = term.typed().declared.clone();
        let example = match declared.as_str() {
            "json" => "SELECT jsonb_array_elements_text(COLUMN::jsonb), or JSON_TABLE on MySQL",
            "jsonb" => "SELECT jsonb_array_elements_text(COLUMN)",
            "longtext" => "SELECT ... FROM TABLE, JSON_TABLE(COLUMN, '$[*]' COLUMNS (path VARCHAR(500) PATH '$'))",
            _ => "SELECT unnest(COLUMN)",
        };
        Self::NotAPath { table: table.to_owned(), column: term.name(), declared, example }
    }
}

impl Target {
    /// Looks up the tables of a policy and fits it to them.
    pub async fn load(session: &mut Session, asked: ResolveInput<'_>) -> Result<Result<Self, Vec<Unfit>>, SourceError> {
        let facts = TableFacts::load(session, &asked.policy.table).await?;
        let mut fitting =
            Fitting { session, asked, misfits: Vec::new(), owners: Vec::new(), vetoes: Vec::new(), path: Vec::new() };
        let target = match fitting.governable(&asked.policy.table, facts) {
            Some(facts) => fitting.target(&facts).await?,
            None => None,
        };
        Ok(match target {
            Some(target) if fitting.misfits.is_empty() => Ok(target),
            _ => Err(fitting.misfits),
        })
    }
}

pub(crate) struct Fitting<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) asked: ResolveInput<'a>,
    pub(crate) misfits: Vec<Unfit>,
    pub(crate) owners: Vec<FileOwner>,
    pub(crate) vetoes: Vec<Veto>,
    /// The tables on the way from the policy's own to the one that is being fitted.
    pub(crate) path: Vec<TableName>,
}

impl Fitting<'_> {
    pub(crate) fn engine(&self) -> Engine {
        self.asked.source.endpoint.engine()
    }

    /// The facts of a table whose rows can be deleted or updated.
    pub(crate) fn governable(&mut self, table: &TableName, facts: Option<TableFacts>) -> Option<TableFacts> {
        let table = table.to_string();
        let misfit = match facts {
            Some(facts) if facts.relation.ends_with("table") && facts.relation != "foreign table" => {
                return Some(facts);
            }
            Some(facts) => Unfit::NotTable { table, relation: facts.relation },
            None => Unfit::NoTable { source_name: self.asked.source.name.clone(), table },
        };
        self.misfits.push(misfit);
        None
    }

    fn column<'f>(&mut self, facts: &'f TableFacts, ident: &Ident) -> Option<&'f Column> {
        find(facts, &facts.name.table.to_string(), ident).map_err(|unfit| self.misfits.push(unfit)).ok()
    }

    pub(crate) fn term(&mut self, facts: &TableFacts, ident: &Ident) -> Option<Term> {
        self.column(facts, ident).map(Term::column)
    }

    async fn target(&mut self, facts: &TableFacts) -> Result<Option<Target>, SourceError> {
        let policy = self.asked.policy;
        let age = self.age(facts);
        let keep = self.keep(facts);
        let change = self.change(facts).await?;
        let condition = match &policy.condition {
            Some(condition) => Some(self.fragment("where", condition, &[facts], None).await?),
            None => None,
        };
        let bound = self.bound(facts);
        let deletes = policy.action == Action::Delete;
        let mut node = self.node(facts, &policy.files, &policy.children, deletes).await?;
        if !deletes {
            self.vetoes.extend(Veto::load(self.session, &facts.name, true).await?);
        }
        let mut protections = Vec::new();
        for protection in &policy.protections {
            match TableFacts::load(self.session, &protection.table).await? {
                Some(other) => {
                    let part = format!("protected_by of {}", protection.table);
                    let tables = [facts, &other];
                    let on = self.fragment(&part, &protection.on, &tables, None).await?;
                    let condition = match &protection.condition {
                        Some(condition) => Some(self.fragment(&part, condition, &tables, None).await?),
                        None => None,
                    };
                    protections.push(Protecting { table: other.name, on, condition });
                }
                None => {
                    let (source_name, table) = (self.asked.source.name.clone(), protection.table.to_string());
                    self.misfits.push(Unfit::NoTable { source_name, table });
                }
            }
        }
        let (mut details, mut computed) = (Vec::new(), Vec::new());
        for detail in &policy.details {
            match detail {
                Detail::Sql { name, sql } => {
                    let fragment = self.fragment(&format!("details {name}"), sql, &[facts], None).await?;
                    computed.push((name.clone(), Computed::Sql(fragment)));
                }
                Detail::Column(ident) => match self.computed(facts, ident) {
                    Some(what) => computed.push((ident.to_string(), what)),
                    None => {
                        let Some(column) = self.column(facts, ident) else { continue };
                        details.push((ident.to_string(), node.carry_shown(Term::column(column)), column.kind));
                    }
                },
            }
        }
        let (alive, probe) = match &policy.alive {
            None => (None, None),
            Some(Alive::Sql(condition)) => (Some(self.fragment("alive", condition, &[facts], None).await?), None),
            Some(Alive::Command(command)) => {
                let columns = command.columns().filter_map(|ident| self.column(facts, ident));
                (None, Some(columns.map(|column| node.carry_argument(Term::column(column))).collect()))
            }
        };
        self.refuse_keyless(facts, &node);
        Ok(Some(Target {
            source: self.asked.source.name.clone(),
            engine: self.engine(),
            age_indexed: age.as_ref().is_some_and(|age| age.is_ordered(self.engine()))
                && policy.age.as_ref().is_some_and(|age| leads_index(facts, &age.column)),
            age,
            keep,
            condition,
            protections,
            alive,
            bound,
            change: change.unwrap_or(Change::Delete),
            unjudged: None,
            judges_tree: true,
            vetoes: std::mem::take(&mut self.vetoes),
            details,
            computed,
            probe,
            owners: std::mem::take(&mut self.owners),
            node,
        }))
    }

    /// The detail that a word stands for where the table has no column of that name.
    fn computed(&self, facts: &TableFacts, ident: &Ident) -> Option<Computed> {
        let policy = self.asked.policy;
        let is_column = facts.columns.iter().any(|column| column.name == *ident);
        match ident.as_str() {
            AGE_SECS if !is_column && policy.age.is_some() => Some(Computed::Age),
            KEEP_SECS if !is_column && policy.keep.is_some() => Some(Computed::Keep),
            _ => None,
        }
    }

    /// Fits a piece of SQL that may name columns of these tables. `set`: it is what this column is set to.
    async fn fragment(
        &mut self,
        part: &str,
        condition: &Condition,
        tables: &[&TableFacts],
        set: Option<&Column>,
    ) -> Result<Fragment, SourceError> {
        let mut fitter = FragmentFitter {
            engine: self.engine(),
            session: &mut *self.session,
            zone: &self.asked.source.timezone,
            params: &self.asked.policy.params,
            mixed_zones: 0,
        };
        let fragment = fitter.fragment(condition, tables, set).await?;
        let mixed = fitter.mixed_zones;
        self.misfits.extend((0..mixed).map(|_| Unfit::MixedZones { part: part.to_owned() }));
        Ok(fragment)
    }

    fn age(&mut self, facts: &TableFacts) -> Option<Age> {
        let age = self.asked.policy.age.as_ref()?;
        let column = self.column(facts, &age.column)?;
        if !crate::sources::age::tells_age(column.kind, age.format) {
            let why = match (column.kind, age.format) {
                (ColumnType::Integer | ColumnType::Real, _) => {
                    "; say what it counts: age_format = \"unix\", \"unix_ms\", \"unix_us\" or \"unix_ns\""
                }
                (ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date, Some(_)) => {
                    " in that age_format; leave age_format out"
                }
                (_, _) => "",
            };
            let (table, declared) = (self.asked.policy.table.to_string(), column.declared.clone());
            self.misfits.push(Unfit::NoAge { table, column: column.name.to_string(), declared, why });
        }
        let timezone = self.asked.source.timezone.clone();
        Some(Age { term: Term::column(column), timezone, format: age.format, earliest: age.earliest })
    }

    fn keep(&mut self, facts: &TableFacts) -> Option<KeepTerms> {
        match self.asked.policy.keep.as_ref()? {
            Keep::For(_) => None,
            Keep::ByValue(by) => Some(KeepTerms { term: self.term(facts, &by.column)?, by: by.clone() }),
        }
    }

    async fn change(&mut self, facts: &TableFacts) -> Result<Option<Change>, SourceError> {
        let Action::Update(assignments) = &self.asked.policy.action else { return Ok(Some(Change::Delete)) };
        let mut set = Vec::new();
        for assignment in assignments {
            let Some(column) = self.column(facts, &assignment.column) else { return Ok(None) };
            if column.generated {
                let (table, column) = (facts.name.table.to_string(), column.name.to_string());
                self.misfits.push(Unfit::Generated { table, column });
            }
            let value = match &assignment.value {
                SetValue::Sql(sql) => NewValue::Sql(self.fragment("set", sql, &[facts], Some(column)).await?),
                literal => NewValue::Literal(literal.clone()),
            };
            set.push((Term::column(column), value));
        }
        Ok(Some(Change::Update(set)))
    }

    fn bound(&mut self, facts: &TableFacts) -> Bound {
        let mut bound = Bound::new();
        for declared in &self.asked.policy.params {
            let name = declared.name.clone();
            let column = facts.columns.iter().find(|column| column.name.as_str() == name);
            let read_as = match (declared.kind, column) {
                (Some(kind), _) => ReadAs::Kind(kind),
                (None, Some(column)) => ReadAs::Column(Term::column(column)),
                (None, None) => ReadAs::Kind(ParamKind::Text),
            };
            let given = self.asked.params.map(|params| params.get(&name));
            match given.map(|given| given.map(|value| checked(value, &read_as, self.engine()))) {
                None => {
                    bound.insert(name, BoundParam { value: None, read_as });
                }
                Some(Some(Ok(value))) => {
                    bound.insert(name, BoundParam { value: Some(value), read_as });
                }
                Some(Some(Err(why))) => self.misfits.push(Unfit::BadParam { name, why }),
                Some(None) => self.misfits.push(Unfit::NoParam { name }),
            }
        }
        bound
    }

    /// A table without a key can be governed where one statement says it all.
    fn refuse_keyless(&mut self, facts: &TableFacts, node: &Node) {
        let policy = self.asked.policy;
        let needs = [
            (
                matches!(policy.alive, Some(Alive::Command(_))),
                facts.key.is_empty() && !facts.has_rowid,
                "alive with a command",
            ),
            (node.takes_others_along(), node.key.0.is_empty(), "children"),
            (node.tree.is_some(), node.key.0.is_empty(), "a foreign key to itself"),
            (
                matches!(policy.action, Action::Update(_)) && !policy.files.is_empty(),
                node.key.0.is_empty(),
                "an update with files",
            ),
            (!policy.details.is_empty(), node.key.0.is_empty(), "details"),
            (policy.at_most.is_some(), node.key.0.is_empty(), "at_most"),
            (
                !policy.files.is_empty() && self.session.returning() == Returning::No,
                node.key.0.is_empty(),
                "files on a server without RETURNING",
            ),
        ];
        if let Some((.., what)) = needs.into_iter().find(|(asked, keyless, _)| *asked && *keyless) {
            self.misfits.push(Unfit::NoKey { table: policy.table.to_string(), what });
        }
    }
}

/// Finds a column by its exact name.
pub(crate) fn find<'a>(facts: &'a TableFacts, table: &str, ident: &Ident) -> Result<&'a Column, Unfit> {
    if let Some(column) = facts.columns.iter().find(|column| column.name == *ident) {
        return Ok(column);
    }
    let alike = |column: &&Column| strsim::jaro_winkler(column.name.as_str(), ident.as_str()) > 0.8;
    let suggestion = facts.columns.iter().find(alike).map(|column| column.name.to_string());
    Err(Unfit::NoColumn { table: table.to_owned(), column: ident.to_string(), suggestion })
}

fn leads_index(facts: &TableFacts, column: &Ident) -> bool {
    facts.indexes.iter().any(|index| index.columns.first() == Some(column))
}
