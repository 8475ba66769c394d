//! Declaration of keys: one entry says what a key takes, means and is if left out, and which kinds of policies have it.

/// Declares tables with their keys. An entry is, with a comment that says what the key means:
///
/// - `name: Form;` for a key that may be left out, `name: Form = "default";` for one that then is its default, and
///   `= []` where that is empty;
/// - then `, default "…"` for what the documentation says of a default that is not a constant, `, each "…"` for what
///   the operator's names in it mean, and `, of [Rows]` for kinds of policies.
macro_rules! keys {
    (@type $form:ty) => { Option<$form> };
    (@type $form:ty, $default:tt) => { $form };
    (@read $entries:ident, $name:expr) => { $entries.optional($name) };
    (@read $entries:ident, $name:expr, []) => { $entries.optional($name).unwrap_or_default() };
    (@read $entries:ident, $name:expr, $default:literal) => { $entries.or($name, $default) };
    (@shown) => { "" };
    (@shown []) => { "" };
    (@shown $default:literal) => { concat!($default) };
    ($($(#[doc = $of:literal])+ pub struct $table:ident { $(
        $(#[doc = $line:literal])+
        $name:ident: $form:ty $(= $default:tt)? $(, default $shown:literal)? $(, each $each:literal)?
            $(, of [$($kind:ident),+])?;
    )+ })+) => {$(
        $(#[doc = $of])+
        pub struct $table { $($(#[doc = $line])+ pub $name: keys!(@type $form $(, $default)?),)+ }

        impl $table {
            fn of(mut entries: $crate::config::form::Entries<'_>) -> Self {
                Self { $($name: keys!(@read entries, $crate::config::declare::plain(stringify!($name)) $(, $default)?),)+ }
            }
        }

        impl Default for $table {
            fn default() -> Self {
                Self::of($crate::config::form::Entries::new(&toml::Table::new(), &mut Default::default()))
            }
        }

        impl $crate::config::form::Form for $table {
            const KIND: $crate::config::kind::KeyKind =
                $crate::config::kind::KeyKind::Table($crate::config::kind::TableKeys {
                    name: stringify!($table),
                    keys: || const { &[$($crate::config::kind::Key {
                        name: $crate::config::declare::plain(stringify!($name)),
                        kind: <$form as $crate::config::form::Form>::KIND,
                        default: keys!(@shown $($default)?),
                        shown: concat!($($shown)?),
                        of: &[$($($crate::config::words::KindWord::$kind.word()),+)?],
                        each: concat!($($each)?),
                        lines: &[$($line),+],
                    }),+] },
                });
            fn read(value: &toml::Value, reader: &mut $crate::config::form::FormReader) -> Option<Self> {
                $crate::config::form::Entries::open(value, Self::KIND, reader).map(Self::of)
            }
            fn hole() -> Option<Self> {
                Some(Self::default())
            }
        }
    )+};
}

pub(super) use keys;

/// The name of a field without what lets it be a word of the language.
pub(super) const fn plain(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}
