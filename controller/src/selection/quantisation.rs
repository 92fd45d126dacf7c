//! What GGUF files are called: their quantisation, their shards, and what lies beside models.
//!
//! A quantisation is told by the name alone, as the Hub and llama.cpp do: `model.Q4_K_M.gguf`, `model-q4_k_m.gguf`,
//! `UD-Q4_K_XL/model-UD-Q4_K_XL-00001-of-00003.gguf`, `Q8_0/model.gguf`.

use std::fmt;

/// The name of a quantisation, in capitals: `Q4_K_M`, `UD-Q4_K_XL`, `IQ2_XXS`, `BF16`. `FP16` is called `F16`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quantisation(String);

/// What a GGUF file is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GgufKind {
    /// A model, or a shard of one. Not every name says how it is quantised.
    Model(Option<Quantisation>),
    /// A projector, for images or sound.
    Projector(Option<Quantisation>),
    /// What a quantiser was given, or a small model that drafts for a large one.
    Companion,
}

/// A file that is one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard<'a> {
    /// What stands before its number, with its folder.
    pub(super) stem: &'a str,
    /// Which it is, from 1.
    pub(super) number: u32,
    /// How many there are.
    pub(super) of: u32,
}

/// How the names of kinds begin, what follows them, and how people call them.
const KINDS: [(&str, &[&str]); 9] = [
    ("IQ", &["1", "2", "3", "4", "5", "6", "7", "8"]),
    ("TQ", &["1", "2"]),
    ("Q", &["1", "2", "3", "4", "5", "6", "8"]),
    ("BF", &["16"]),
    ("MXFP", &["4", "6", "8"]),
    ("NVFP", &["4"]),
    ("FP", &["4", "8", "16", "32"]),
    ("F", &["8", "16", "32", "64"]),
    ("INT", &["4", "8"]),
];
/// What may follow behind underscores.
const VARIATIONS: [&str; 25] = [
    "0", "1", "2", "3", "4", "8", "K", "S", "M", "L", "H", "P", "XS", "XXS", "XL", "XXL", "NL", "KS", "KSS",
    "KL", "KT", "KV", "R4", "R8", "MOE",
];
/// Unsloth's dynamic quantisations, which are others than those of the same name without it.
const DYNAMIC: &str = "UD-";
/// How the names of drafting models begin.
const DRAFTS: [&str; 3] = ["MTP-", "DFLASH-", "EAGLE3-"];

impl Quantisation {
    /// A name as it was typed; whether there is such a one shows later.
    pub fn named(typed: &str) -> Self {
        let name = typed.trim().to_ascii_uppercase();
        Self(if name.contains("MXFP") || name.contains("NVFP") {
            name
        } else {
            name.replace("FP16", "F16").replace("FP32", "F32")
        })
    }

    /// A text that is the name of one, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        (label(&upper) == Some(upper.len())).then(|| Self::named(text))
    }

    /// The last one that a text has in it, between characters that are neither letters nor digits.
    fn within(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let is_word = |at: usize| upper.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric);
        let mut last = None;
        let mut at = 0;
        while at < upper.len() {
            let length = if (at == 0 || !is_word(at - 1)) && upper.is_char_boundary(at) {
                label(&upper[at..]).filter(|length| !is_word(at + length))
            } else {
                None
            };
            if let Some(length) = length {
                last = Some(Self::named(&upper[at..at + length]));
            }
            at += length.unwrap_or(1);
        }
        last
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its name without what says that it is dynamic.
    pub(super) fn plain(&self) -> &str {
        self.0.strip_prefix(DYNAMIC).unwrap_or(&self.0)
    }

    /// Bits per weight, roughly: the first number in it.
    pub(super) fn bits(&self) -> u32 {
        let digits = self.0.trim_start_matches(|character: char| !character.is_ascii_digit());
        let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse().unwrap_or(0)
    }
}

impl fmt::Display for Quantisation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The length of the name that a text in capitals begins with.
fn label(upper: &str) -> Option<usize> {
    let plain = upper.strip_prefix(DYNAMIC).unwrap_or(upper);
    let (rest, sizes) = KINDS.iter().find_map(|(kind, sizes)| Some((plain.strip_prefix(kind)?, *sizes)))?;
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    if !sizes.contains(&&rest[..end]) {
        return None;
    }
    let mut rest = &rest[end..];
    while let Some(after) = rest.strip_prefix('_') {
        let end = after.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(after.len());
        if !VARIATIONS.contains(&&after[..end]) {
            break;
        }
        rest = &after[end..];
    }
    Some(upper.len() - rest.len())
}

/// What a file is; none for one that is no GGUF.
pub(super) fn kind(path: &str) -> Option<GgufKind> {
    let stem = stem(path)?;
    let (folders, own) = stem.rsplit_once('/').unwrap_or(("", stem));
    let upper = own.to_ascii_uppercase();
    if upper.contains("MMPROJ") {
        return Some(GgufKind::Projector(Quantisation::within(own)));
    }
    let is_companion = upper.starts_with("IMATRIX")
        || upper.ends_with("IMATRIX")
        || DRAFTS.iter().any(|draft| upper.starts_with(draft));
    if is_companion {
        return Some(GgufKind::Companion);
    }
    let named = Quantisation::within(own);
    let above = || folders.rsplit('/').find_map(Quantisation::within);
    Some(GgufKind::Model(named.or_else(above)))
}

/// A GGUF file's path without its ending and without which shard it is.
fn stem(path: &str) -> Option<&str> {
    if let Some(shard) = shard(path) {
        return Some(shard.stem.strip_suffix(".gguf").unwrap_or(shard.stem));
    }
    let at = path.len().checked_sub(".gguf".len())?;
    path.get(at..).filter(|end| end.eq_ignore_ascii_case(".gguf")).map(|_| &path[..at])
}

/// Which shard of a GGUF file it is: `…-00001-of-00003.gguf`, or a piece of a file that was cut up for being too large
/// (`….gguf.part1of2`).
pub(super) fn shard(path: &str) -> Option<Shard<'_>> {
    let number =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    let (stem, number, of) = if let Some(stem) = path.strip_suffix(".gguf") {
        let (rest, of) = stem.rsplit_once("-of-")?;
        let (stem, which) = rest.rsplit_once('-')?;
        (stem, number(which)?, number(of)?)
    } else {
        let (stem, part) =
            path.rsplit_once(".part").filter(|(stem, _)| stem.strip_suffix(".gguf").is_some())?;
        let (which, of) = part.split_once("of")?;
        (stem, number(which)?, number(of)?)
    };
    Some(Shard { stem, number, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_models_are_quantised() {
        for (path, expected) in [
            ("model.Q4_K_M.gguf", Some("Q4_K_M")),
            ("model-q4_k_m.gguf", Some("Q4_K_M")),
            ("ggml-model-Q4_0.gguf", Some("Q4_0")),
            ("gemma-4-E2B_q4_0-it.gguf", Some("Q4_0")),
            ("Qwen3-8B-UD-Q4_K_XL.gguf", Some("UD-Q4_K_XL")),
            ("Kimi-UD-IQ1_S-00001-of-00006.gguf", Some("UD-IQ1_S")),
            ("model.i1-IQ2_XXS.gguf", Some("IQ2_XXS")),
            ("model-Q8_0.gguf", Some("Q8_0")),
            ("model-Q8_0.GGUF", Some("Q8_0")),
            ("model-F16.gguf", Some("F16")),
            ("model-fp16.gguf", Some("F16")),
            ("model-BF16.gguf", Some("BF16")),
            ("gpt-oss-20b-MXFP4.gguf", Some("MXFP4")),
            ("gpt-oss-20b-mxfp4_moe.gguf", Some("MXFP4_MOE")),
            ("model-TQ1_0.gguf", Some("TQ1_0")),
            ("model-Q4_0_4_4.gguf", Some("Q4_0_4_4")),
            ("model-IQ3_K_R4.gguf", Some("IQ3_K_R4")),
            ("Q4_K_M/model-00001-of-00002.gguf", Some("Q4_K_M")),
            ("a/BF16/b/model.gguf", Some("BF16")),
            ("Q4_K_M/model-Q5_K_S.gguf", Some("Q5_K_S")),
            ("model-f16-Q6_K.gguf", Some("Q6_K")),
            ("model-imatrix-Q4_K_M.gguf", Some("Q4_K_M")),
            ("model.Q6_K.gguf.part1of2", Some("Q6_K")),
            ("Q4_K_M.gguf", Some("Q4_K_M")),
            ("model-Q4_K_M-v2.gguf", Some("Q4_K_M")),
            ("modèle-Q4_K_M-é.gguf", Some("Q4_K_M")),
            ("Qwen3-8B.gguf", None),
            ("F5-TTS.gguf", None),
            ("model-XQ4_K_M.gguf", None),
            ("model.gguf", None),
            (".gguf", None),
        ] {
            let expected = expected.map(Quantisation::named);
            assert_eq!(kind(path), Some(GgufKind::Model(expected)), "{path}");
        }
    }

    #[test]
    fn what_lies_beside_models_is_told_from_them() {
        let f16 = || Some(Quantisation::named("F16"));
        for (path, expected) in [
            ("mmproj-F16.gguf", Some(GgufKind::Projector(f16()))),
            ("mmproj-model-f16.gguf", Some(GgufKind::Projector(f16()))),
            ("gemma-4-E2B-it-mmproj.gguf", Some(GgufKind::Projector(None))),
            ("imatrix.gguf", Some(GgufKind::Companion)),
            ("imatrix_unsloth.gguf", Some(GgufKind::Companion)),
            ("model.imatrix.gguf", Some(GgufKind::Companion)),
            ("mtp-model-Q8_0.gguf", Some(GgufKind::Companion)),
            ("model.Q4_K_M.bin", None),
            ("imatrix.dat", None),
            ("config.json", None),
            ("gguf", None),
            ("é", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn shards_are_numbered() {
        for (path, expected) in [
            ("a/m-Q4_0-00002-of-00003.gguf", Some(("a/m-Q4_0", 2, 3))),
            ("m.gguf.part1of2", Some(("m.gguf", 1, 2))),
            ("m-of-3.gguf", None),
            ("m-1-of-x.gguf", None),
            ("m-99999999999-of-3.gguf", None),
            ("m.gguf", None),
            ("model-00001-of-00002.safetensors", None),
        ] {
            let expected = expected.map(|(stem, number, of)| Shard { stem, number, of });
            assert_eq!(shard(path), expected, "{path}");
        }
    }

    #[test]
    fn names_of_quantisations_are_told_from_those_of_branches() {
        for tag in ["Q4_K_M", "q8_0", "IQ2_XS", "UD-Q4_K_XL", "F16", "bf16", "TQ1_0", "MXFP4", "fp8"] {
            assert!(Quantisation::parse(tag).is_some(), "{tag}");
        }
        for tag in
            ["latest", "main", "v1.0", "7b", "feature", "int", "quant", "Q4_K_M-x", "", "Q", "Q9_0", "UD-"]
        {
            assert_eq!(Quantisation::parse(tag), None, "{tag}");
        }
    }
}
