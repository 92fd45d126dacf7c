//! Files that have the same weights again, in another format: which they are, and the patterns that leave them out.
//!
//! Only what is sure is told: formats whose files have the names that libraries give them, beside the ones that every
//! library of today reads. No pattern is told that would leave out anything else.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::glob::{Glob, escaped};

/// Files that no pattern of their own names are named one by one, if they are so few.
const MOST_NAMED: usize = 8;
/// The part of a file's size that a variant of half its precision has at most.
const HALF: f64 = 0.6;

/// Files that have the weights of others again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// What they are.
    pub format: WeightFormat,
    /// What they are beside.
    pub of: WeightFormat,
    /// How many.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// The patterns that match them and nothing else.
    pub exclude: Vec<String>,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WeightFormat {
    /// `model.safetensors` and its shards.
    Safetensors,
    /// `pytorch_model.bin` and its shards, or a pickle beside a safetensors file of its name.
    PyTorch,
    /// `tf_model.h5`.
    TensorFlow,
    /// `flax_model.msgpack`.
    Flax,
    /// `rust_model.ot`.
    Rust,
    /// The folder `onnx`.
    Onnx,
    /// The folder `openvino`.
    OpenVino,
    /// The folder `original`: as its makers trained it.
    Original,
    /// `consolidated.safetensors` or `.pth`: all tensors in its makers' own layout.
    Consolidated,
    /// `model.fp16.safetensors` beside `model.safetensors`.
    HalfPrecision,
}

impl WeightFormat {
    /// The word for it, which is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "pytorch",
            Self::TensorFlow => "tensorflow",
            Self::Flax => "flax",
            Self::Rust => "rust",
            Self::Onnx => "onnx",
            Self::OpenVino => "openvino",
            Self::Original => "original",
            Self::Consolidated => "consolidated",
            Self::HalfPrecision => "fp16",
        }
    }

    /// Patterns that may name all of it; the first ones are those that a user would write.
    fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Safetensors => &[],
            Self::PyTorch => &[
                "*.bin",
                "*.bin.index.json",
                "pytorch_model*",
                "*pytorch_model*.bin",
                "*pytorch_model*.bin.index.json",
                "*.ckpt",
                "*.pth",
                "*.pt",
            ],
            Self::TensorFlow => &["*.h5", "*.h5.index.json", "*tf_model*"],
            Self::Flax => &["*.msgpack", "*.msgpack.index.json", "*flax_model*"],
            Self::Rust => &["*.ot"],
            Self::Onnx => &["onnx/"],
            Self::OpenVino => &["openvino/"],
            Self::Original => &["original/"],
            Self::Consolidated => &["consolidated*"],
            Self::HalfPrecision => {
                &["*.fp16.safetensors", "*.fp16-*.safetensors", "*.fp16.safetensors.index.json"]
            }
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What weights there are for libraries to read.
struct Weights<'a> {
    /// Folders with a model in safetensors.
    safetensors: HashSet<&'a str>,
    /// Folders with a model in `PyTorch`'s own format.
    pytorch: HashSet<&'a str>,
    /// The safetensors files, without the ending, and their sizes.
    files: HashMap<&'a str, u64>,
    /// Whether the folder `original` has weights in it.
    has_original: bool,
}

impl<'a> Weights<'a> {
    fn of(files: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut weights = Self {
            safetensors: HashSet::new(),
            pytorch: HashSet::new(),
            files: HashMap::new(),
            has_original: false,
        };
        for (path, size) in files {
            let (folder, name) = split(path);
            if let Some(stem) = path.strip_suffix(".safetensors") {
                weights.files.insert(stem, size);
                if is_model(name) && folder != "original" {
                    weights.safetensors.insert(folder);
                }
            } else if name.strip_suffix(".bin").is_some_and(is_pytorch) {
                weights.pytorch.insert(folder);
            }
            let is_weights =
                [".safetensors", ".pth", ".pt", ".bin"].iter().any(|ending| name.ends_with(ending));
            weights.has_original |= is_weights && path.starts_with("original/");
        }
        weights
    }

    /// The weights that a file has again, and as what.
    fn again(&self, path: &str, size: u64) -> Option<(WeightFormat, WeightFormat)> {
        use WeightFormat::{
            Consolidated, Flax, HalfPrecision, Onnx, OpenVino, Original, PyTorch, Rust, Safetensors,
            TensorFlow,
        };
        let (folder, name) = split(path);
        let plain = name.strip_suffix(".index.json").unwrap_or(name);
        let has_safetensors = self.safetensors.contains(folder);
        let base = |folder: &str| match (self.safetensors.contains(folder), self.pytorch.contains(folder)) {
            (true, _) => Some(Safetensors),
            (false, true) => Some(PyTorch),
            (false, false) => None,
        };
        let top = path.split_once('/').map(|(top, _)| top);
        match top {
            Some("original") if self.has_original && self.safetensors.contains("") => {
                return Some((Original, Safetensors));
            }
            Some("onnx") => return base("").map(|base| (Onnx, base)),
            Some("openvino") => return base("").map(|base| (OpenVino, base)),
            _ => {}
        }
        let is = |starts: &[&str], ending: &str| {
            plain.ends_with(ending) && starts.iter().any(|start| plain.starts_with(start))
        };
        let same_name = || {
            let pickles = [".bin", ".ckpt", ".pth", ".pt"];
            pickles
                .iter()
                .any(|ending| path.strip_suffix(ending).is_some_and(|stem| self.files.contains_key(stem)))
        };
        if has_safetensors && plain.strip_suffix(".bin").is_some_and(is_pytorch) || same_name() {
            Some((PyTorch, Safetensors))
        } else if is(&["tf_model"], ".h5") {
            base(folder).map(|base| (TensorFlow, base))
        } else if is(&["flax_model", "diffusion_flax_model"], ".msgpack") {
            base(folder).map(|base| (Flax, base))
        } else if is(&["rust_model"], ".ot") {
            base(folder).map(|base| (Rust, base))
        } else if is(&["consolidated"], ".safetensors") || is(&["consolidated"], ".pth") {
            has_safetensors.then_some((Consolidated, Safetensors))
        } else if let Some((stem, "")) =
            plain.strip_suffix(".safetensors").and_then(|stem| stem.split_once(".fp16"))
        {
            let whole = path.strip_suffix(name).map(|folder| format!("{folder}{stem}"))?;
            let whole = *self.files.get(whole.as_str())?;
            (size as f64 <= whole as f64 * HALF).then_some((HalfPrecision, Safetensors))
        } else {
            None
        }
    }
}

/// The files that have weights again, by format.
pub(super) fn duplicates<'a>(files: &(impl Iterator<Item = (&'a str, u64)> + Clone)) -> Vec<Duplicates> {
    let weights = Weights::of(files.clone());
    if weights.safetensors.is_empty() && weights.pytorch.is_empty() && weights.files.is_empty() {
        return Vec::new();
    }
    let mut groups: HashMap<(WeightFormat, WeightFormat), HashMap<&str, u64>> = HashMap::new();
    for (path, size) in files.clone() {
        if let Some(group) = weights.again(path, size) {
            groups.entry(group).or_default().insert(path, size);
        }
    }
    let mut found: Vec<_> = groups
        .into_iter()
        .filter_map(|((format, of), mut group)| {
            let exclude = patterns(format, &mut group, &files.clone().map(|(path, _)| path));
            let bytes = group.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
            (!group.is_empty()).then_some(Duplicates { format, of, files: group.len(), bytes, exclude })
        })
        .collect();
    found.sort_by_key(|group| (std::cmp::Reverse(group.bytes), group.format, group.of));
    found
}

/// The patterns that match a group's files and nothing else. Files that would have to be named one by one, and are many,
/// leave the group.
fn patterns<'a>(
    format: WeightFormat,
    group: &mut HashMap<&'a str, u64>,
    paths: &(impl Iterator<Item = &'a str> + Clone),
) -> Vec<String> {
    let mut uncovered: HashSet<&str> = group.keys().copied().collect();
    let globs = format.patterns().iter().map(|pattern| Glob::new(pattern));
    let mut usable: Vec<Glob> = globs
        .filter(|glob| uncovered.iter().any(|path| glob.matches(path)))
        .filter(|glob| paths.clone().all(|path| group.contains_key(path) || !glob.matches(path)))
        .collect();
    if let Some(one) = usable.iter().position(|glob| uncovered.iter().all(|path| glob.matches(path))) {
        usable = vec![usable.swap_remove(one)];
    }
    let mut patterns = Vec::new();
    for glob in usable {
        if uncovered.iter().any(|path| glob.matches(path)) {
            uncovered.retain(|path| !glob.matches(path));
            patterns.push(glob.to_string());
        }
    }
    if uncovered.len() > MOST_NAMED {
        group.retain(|path, _| !uncovered.contains(path));
    } else {
        let mut named: Vec<_> = uncovered.into_iter().map(escaped).collect();
        named.sort_unstable();
        patterns.extend(named);
    }
    patterns
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a safetensors file has the name of a whole model, or of a shard of one.
fn is_model(name: &str) -> bool {
    ["model.", "model-", "diffusion_pytorch_model.", "diffusion_pytorch_model-"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn is_pytorch(name: &str) -> bool {
    ["pytorch_model", "diffusion_pytorch_model"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
#[path = "duplicates_tests.rs"]
mod tests;
