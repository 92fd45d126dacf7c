//! No field of a message escapes its bound, also one that is added later: a deserialiser that makes messages up finds
//! every text, list and block of bytes in [`Order`] and [`Report`] by itself, and makes each of them too long once.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::Error;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, SeqAccess, VariantAccess,
    Visitor,
};

use crate::{Message, Order, Report, limits};

/// Longer than whatever may be in one message, texts, lists and bytes alike.
const TOO_LONG: usize = limits::AUTHORITIES + 1;

/// Texts that one of the types which check their text accepts: any, a path and a commit the first; an address the
/// second; a repository's folder the third.
const TEXTS: [&str; 3] = ["0123456789abcdef0123456789abcdef01234567", "https:example", "models--example"];

/// Where something is in a message: the names of variants and fields from the outside in.
type FieldPath = Vec<&'static str>;

/// Makes up one message after another.
#[derive(Default)]
struct Inventor {
    /// Where the message is being made up.
    at: FieldPath,
    /// What this message is made for: it has this variant, or this text, list or block of bytes is too long.
    target: FieldPath,
    /// What is too long, once it has been made.
    oversized: Option<Oversized>,
    /// Every target that has been found.
    found: BTreeSet<FieldPath>,
    /// Those that no message was made for yet.
    open: Vec<FieldPath>,
    /// Which of the texts suits, where it is not the first.
    suiting: BTreeMap<FieldPath, usize>,
    /// Where the last text is that was not made too long.
    last_text: Option<FieldPath>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Oversized {
    Text,
    Bytes,
    List,
}

impl Inventor {
    /// Checks every message of one kind, and says where a text, a list or a block of bytes is.
    fn check_all<M: Message>() -> BTreeSet<String> {
        let mut inventor = Self::default();
        inventor.open.push(FieldPath::new());
        let mut bounded = BTreeSet::new();
        while let Some(target) = inventor.open.pop() {
            inventor.target = target;
            let made = inventor.make::<M>();
            let target = inventor.target.join("::");
            match (inventor.oversized, made) {
                (None, Ok(message)) => assert!(message.is_bounded(), "{target} is as small as can be"),
                (Some(_), Ok(message)) => {
                    assert!(!message.is_bounded(), "{target} has no bound: `is_bounded` lets it be too long");
                    bounded.insert(target);
                }
                // The type itself has refused it.
                (Some(Oversized::Text), Err(_)) => _ = bounded.insert(target),
                (_, Err(error)) => panic!("{target}: {error}"),
            }
        }
        bounded
    }

    /// Makes the message for the target, with texts that suit.
    fn make<M: Message>(&mut self) -> Result<M, Error> {
        loop {
            (self.at, self.oversized, self.last_text) = (FieldPath::new(), None, None);
            let made = M::deserialize(&mut *self);
            let Some(refused) = self.last_text.take().filter(|_| made.is_err()) else { return made };
            let text = self.suiting.entry(refused).or_default();
            *text += 1;
            if *text == TEXTS.len() {
                return made;
            }
        }
    }

    /// A target has been found.
    fn discover(&mut self, name: Option<&'static str>) {
        let location: FieldPath = self.at.iter().copied().chain(name).collect();
        if self.oversized.is_none() && self.found.insert(location.clone()) {
            self.open.push(location);
        }
    }

    /// Whether what is being made up is to be too long.
    fn is_oversized(&mut self, form: Oversized) -> bool {
        self.discover(None);
        let is_oversized = self.oversized.is_none() && self.at == self.target;
        if is_oversized {
            self.oversized = Some(form);
            self.last_text = None;
        }
        is_oversized
    }

    fn text(&mut self) -> String {
        if self.is_oversized(Oversized::Text) {
            return "a".repeat(TOO_LONG);
        }
        self.last_text = Some(self.at.clone());
        TEXTS[self.suiting.get(&self.at).copied().unwrap_or_default()].to_owned()
    }

    fn bytes(&mut self) -> Vec<u8> {
        vec![0; if self.is_oversized(Oversized::Bytes) { TOO_LONG } else { 1 }]
    }
}

/// What has parts with these names.
struct Parts<'a, N> {
    inventor: &'a mut Inventor,
    names: N,
}

impl<'de, N: Iterator<Item = &'static str>> SeqAccess<'de> for Parts<'_, N> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.inventor.at.push(name);
        let part = seed.deserialize(&mut *self.inventor)?;
        self.inventor.at.pop();
        Ok(Some(part))
    }
}

macro_rules! plain {
    ($($deserialize:ident $visit:ident $value:expr,)*) => {
        $(fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Inventor {
    type Error = Error;

    plain! {
        deserialize_bool visit_bool true,
        deserialize_i8 visit_i8 1, deserialize_i16 visit_i16 1, deserialize_i32 visit_i32 1,
        deserialize_i64 visit_i64 1, deserialize_i128 visit_i128 1,
        deserialize_u8 visit_u8 1, deserialize_u16 visit_u16 1, deserialize_u32 visit_u32 1,
        deserialize_u64 visit_u64 1, deserialize_u128 visit_u128 1,
        deserialize_f32 visit_f32 1.0, deserialize_f64 visit_f64 1.0, deserialize_char visit_char 'a',
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.bytes())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // A list within one that is too long is empty: it must not lend its own bound to that one.
        let is_within = self.oversized.is_some();
        let length = if self.is_oversized(Oversized::List) { TOO_LONG } else { usize::from(!is_within) };
        visitor.visit_seq(Parts { inventor: self, names: std::iter::repeat_n("[]", length) })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let names = ["0", "1", "2", "3"].into_iter().chain(std::iter::repeat("…")).take(length);
        visitor.visit_seq(Parts { inventor: self, names })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { inventor: self, names: fields.iter().copied() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        for variant in variants {
            self.discover(Some(variant));
        }
        let is_on_the_way = self.target.starts_with(&self.at);
        let wished = self.target.get(self.at.len()).filter(|_| is_on_the_way);
        self.at.push(wished.unwrap_or(&variants[0]));
        let depth = self.at.len();
        let made = visitor.visit_enum(&mut *self)?;
        self.at.truncate(depth - 1);
        Ok(made)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no message has had such a field yet: say here what one is like"))
    }

    serde::forward_to_deserialize_any! { unit unit_struct tuple_struct map identifier ignored_any }
}

impl<'de> EnumAccess<'de> for &mut Inventor {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = self.at.last().copied().unwrap_or_default();
        let variant = seed.deserialize(IntoDeserializer::<Error>::into_deserializer(name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Inventor {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[test]
fn no_text_or_list_of_an_order_may_be_too_long() {
    let bounded = Inventor::check_all::<Order>();
    for location in [
        "Hello::mode::Joining::root",
        "Hello::mode::Inquiring::root",
        "Trust::authorities",
        "Trust::authorities::[]",
        "List::files::[]::path",
        "Open::root",
        "Open::layout::LocalDir::commit",
        "Open::layout::HubCache::repository",
        "Open::layout::HubCache::revision",
        "Tree::bytes",
        "Fetch::jobs::[]::source::Public",
        "Detach::refusals",
        "XorbRanges::ranges",
        "XorbRanges::ranges::[]::address",
        "Terms::terms",
        "Basis::place",
        "ChunkRuns::runs",
        "Inline::bytes",
        "Relayed::host",
        "Stream::event::Head::range",
        "Stream::event::Bytes::bytes",
        "SourceUnavailable::failure::detail",
    ] {
        assert!(bounded.contains(location), "{location} is not among {bounded:?}");
    }
}

#[test]
fn no_text_or_list_of_a_report_may_be_too_long() {
    let bounded = Inventor::check_all::<Report>();
    for location in [
        "Hello::machine::arch",
        "Found::files",
        "Recorded::files",
        "NeedSource::asked::Terms::missing",
        "FellBack::failure::detail",
        "Bases::bases",
        "Bases::bases::[]::place",
        "Recalled::sync::commit",
        "Unlisted::files",
        "Unlisted::files::[]::path",
        "Found::files::[]::1::Obstructed::failure::detail",
        "Warning::warning::HubMetadata::failure::detail",
        "Ended::status::failures",
        "Ended::conclusion::Failed::failure::detail",
        "Fatal::failure::detail",
    ] {
        assert!(bounded.contains(location), "{location} is not among {bounded:?}");
    }
}
