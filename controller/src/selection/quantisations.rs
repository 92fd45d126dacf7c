//! `--quant` and `--mmproj`: which GGUF files are wanted, and which quantisations there are.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::quantisation::{GgufKind, Quantisation, kind, shard};

/// The most shards that are missed by name.
const MOST_MISSED: usize = 3;
/// A set of shards that claims to be of more is not looked through for gaps.
const LARGEST_SET: u32 = 10_000;

/// Which quantisations are wanted, and what with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedQuantisations {
    /// These.
    pub quantisations: Vec<Quantisation>,
    /// Whether projectors come along.
    pub projectors: Projectors,
}

/// Whether the projectors of models that see or hear come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projectors {
    /// They do not.
    LeftOut,
    /// For each model the one that fits best (`--mmproj`).
    Wanted,
}

/// The files of one quantisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantisationFiles {
    /// Which; none for models whose names do not say.
    pub quantisation: Option<Quantisation>,
    /// How many files there are.
    pub files: usize,
    /// How many of them are shards.
    pub shards: usize,
    /// Their size.
    pub bytes: u64,
}

/// Shards that are not listed, though others of the same file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingShards {
    /// The name of one that is listed.
    pub listed: String,
    /// How many are not.
    pub missing: usize,
    /// The numbers of the first few that are not.
    pub numbers: Vec<u32>,
    /// How many there should be.
    pub of: u32,
}

/// Why nothing can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoQuantisation {
    /// There is no GGUF file.
    NoGguf,
    /// There is none of this one.
    NotThere(Quantisation),
    /// There is no projector.
    NoProjector,
}

/// What was chosen: which files are wanted shows by their names.
#[derive(Debug, Default)]
pub(super) struct ChosenGguf<'a> {
    quantisations: HashSet<Quantisation>,
    projectors: HashSet<&'a str>,
}

impl WantedQuantisations {
    /// Finds out which files are wanted of these.
    pub(super) fn choose<'a>(
        &self,
        paths: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<ChosenGguf<'a>, NoQuantisation> {
        let kinds = paths.filter_map(|path| Some((path, kind(path)?)));
        let there: HashSet<Quantisation> = kinds
            .clone()
            .filter_map(|(_, kind)| match kind {
                GgufKind::Model(quantisation) => quantisation,
                _ => None,
            })
            .collect();
        let mut quantisations = HashSet::new();
        for wanted in &self.quantisations {
            if there.contains(wanted) {
                quantisations.insert(wanted.clone());
                continue;
            }
            // As llama.cpp has it: `Q4_K_XL` is `UD-Q4_K_XL` where there is no other.
            let dynamic: Vec<_> =
                there.iter().filter(|there| there.plain() == wanted.as_str()).cloned().collect();
            if dynamic.is_empty() {
                let is_gguf = kinds.clone().next().is_some();
                return Err(if is_gguf {
                    NoQuantisation::NotThere(wanted.clone())
                } else {
                    NoQuantisation::NoGguf
                });
            }
            quantisations.extend(dynamic);
        }
        let projectors = match self.projectors {
            Projectors::LeftOut => HashSet::new(),
            Projectors::Wanted => {
                let found = projectors(kinds, &quantisations);
                if found.is_empty() {
                    return Err(NoQuantisation::NoProjector);
                }
                found
            }
        };
        Ok(ChosenGguf { quantisations, projectors })
    }
}

impl ChosenGguf<'_> {
    pub(super) fn want(&self, path: &str) -> bool {
        match kind(path) {
            Some(GgufKind::Model(Some(quantisation))) => self.quantisations.contains(&quantisation),
            Some(GgufKind::Projector(_)) => self.projectors.contains(path),
            Some(GgufKind::Model(None) | GgufKind::Companion) | None => false,
        }
    }
}

/// The projectors that fit the models of these quantisations. As llama.cpp has it, that is for each model the one in the
/// nearest folder above it, there the one of the same quantisation, else of the nearest number of bits, and of several
/// such ones the first.
fn projectors<'a>(
    kinds: impl Iterator<Item = (&'a str, GgufKind)>,
    quantisations: &HashSet<Quantisation>,
) -> HashSet<&'a str> {
    let folder = |path: &'a str| path.rsplit_once('/').map_or("", |(folder, _)| folder);
    // By folder the first of each quantisation, of which there are few.
    let mut there: HashMap<&str, Vec<(Option<Quantisation>, &str)>> = HashMap::new();
    let mut models: HashSet<(&str, Quantisation)> = HashSet::new();
    for (path, kind) in kinds {
        match kind {
            GgufKind::Projector(quantisation) => {
                let same_folder = there.entry(folder(path)).or_default();
                if same_folder.iter().all(|(known, _)| *known != quantisation) {
                    same_folder.push((quantisation, path));
                }
            }
            GgufKind::Model(Some(quantisation)) if quantisations.contains(&quantisation) => {
                models.insert((folder(path), quantisation));
            }
            GgufKind::Model(_) | GgufKind::Companion => {}
        }
    }
    let best = |(folder, model): &(&'a str, Quantisation)| {
        let mut above = std::iter::successors(Some(*folder), |folder| {
            folder.rsplit_once('/').map(|(above, _)| above).or((!folder.is_empty()).then_some(""))
        });
        let nearest = above.find_map(|folder| there.get(folder))?;
        let distance = |of: &Option<Quantisation>| {
            let bits = of.as_ref().map_or(0, Quantisation::bits);
            (of.as_ref() != Some(model), bits.abs_diff(model.bits()))
        };
        nearest.iter().min_by_key(|(quantisation, _)| distance(quantisation)).map(|(_, path)| *path)
    };
    models.iter().filter_map(best).collect()
}

/// The quantisations that there are, smallest first.
pub(super) fn quantisations<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Vec<QuantisationFiles> {
    let mut found: BTreeMap<Option<Quantisation>, QuantisationFiles> = BTreeMap::new();
    for (path, size) in files {
        let Some(GgufKind::Model(quantisation)) = kind(path) else { continue };
        let group = found.entry(quantisation.clone()).or_insert(QuantisationFiles {
            quantisation,
            files: 0,
            shards: 0,
            bytes: 0,
        });
        group.files += 1;
        group.shards += usize::from(shard(path).is_some());
        group.bytes = group.bytes.saturating_add(size);
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|group| group.bytes);
    found
}

/// The shards that are missing of files of which others are there.
pub(super) fn missing_shards<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<MissingShards> {
    let mut sets: BTreeMap<(&str, u32), (&str, HashSet<u32>)> = BTreeMap::new();
    for path in paths {
        if let Some(shard) = shard(path).filter(|shard| shard.of <= LARGEST_SET) {
            sets.entry((shard.stem, shard.of)).or_insert((path, HashSet::new())).1.insert(shard.number);
        }
    }
    let gaps = |((_, of), (listed, there)): ((&str, u32), (&str, HashSet<u32>))| {
        let missing = || (1..=of).filter(|number| !there.contains(number));
        let count = missing().count();
        (count > 0).then(|| MissingShards {
            listed: listed.to_owned(),
            missing: count,
            numbers: missing().take(MOST_MISSED).collect(),
            of,
        })
    };
    sets.into_iter().filter_map(gaps).collect()
}

#[cfg(test)]
#[path = "quantisations_tests.rs"]
mod tests;
