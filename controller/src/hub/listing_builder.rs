//! From entries to a listing: of each name one file, and none below another.
//!
//! A million entries are kept as the table that they become. Only names that are listed twice, or as a file and a folder,
//! are looked at again, and cost memory beside that.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use hfdown_protocol::{Digest, FileRow, FileTable, TooManyFiles, limits};

use super::Nonsense;
use super::entry::{EntryKind, ListedFile, RefusalReason, TreeEntry};
use super::listing::Refused;
use super::tree_details::TreeDetails;

/// The bytes that an LFS pointer stays below, by the specification of Git LFS.
const LARGEST_POINTER: u64 = 1024;

/// What has been listed so far.
#[derive(Debug, Default)]
pub(super) struct ListingBuilder {
    files: FileTable,
    /// What else is said of them. Where a name is listed twice, or below another, it is forgotten.
    details: TreeDetails,
    /// The files of which the server does not say that they are files.
    unsaid: HashSet<u32>,
    refused: Vec<RefusedEntry>,
    /// Bytes in the names of these.
    refused_names: usize,
}

/// An entry that no file can be made of.
#[derive(Debug)]
struct RefusedEntry {
    /// How many files were listed before it.
    after: usize,
    refused: Refused,
    kind: EntryKind,
}

/// An entry that was listed: a file, or what no file can be made of.
#[derive(Clone, Copy)]
struct Listed<'a> {
    what: Result<FileRow<'a>, &'a Refused>,
    kind: EntryKind,
}

impl ListingBuilder {
    /// How many entries there are so far.
    pub(super) fn len(&self) -> usize {
        self.files.len() + self.refused.len()
    }

    /// Adds an entry.
    pub(super) fn add(&mut self, entry: &TreeEntry) -> Result<(), TooManyFiles> {
        let refused = |reason| Refused { name: entry.name().to_owned(), reason };
        let listed = entry.file();
        if let Ok(file) = &listed {
            self.details.add(self.files.len(), entry, &file.row());
        }
        self.put(listed.map_err(refused), entry.kind())
    }

    fn put(&mut self, what: Result<ListedFile, Refused>, kind: EntryKind) -> Result<(), TooManyFiles> {
        match what {
            Ok(file) => {
                if kind == EntryKind::Unsaid {
                    self.unsaid.extend(u32::try_from(self.files.len()));
                }
                self.files.push(file.row())
            }
            Err(refused) => {
                self.refused_names += refused.name.len();
                self.refused.push(RefusedEntry { after: self.files.len(), refused, kind });
                let is_bounded = self.refused.len() <= limits::FILES && self.refused_names <= limits::NAMES;
                is_bounded.then_some(()).ok_or(TooManyFiles)
            }
        }
    }

    /// The files, and what is refused, each in the order in which it was listed first.
    pub(super) fn finish(self) -> Result<(FileTable, TreeDetails, Vec<Refused>), Nonsense> {
        let Self { files, details, refused, .. } = self.once_each()?.without_folders()?;
        // Checked once, so that sizes can be added up everywhere else.
        files.iter().try_fold(0_u64, |total, file| total.checked_add(file.size)).ok_or(Nonsense::Sizes)?;
        Ok((files, details, refused.into_iter().map(|entry| entry.refused).collect()))
    }

    /// All entries as they were listed.
    fn entries(&self) -> impl Iterator<Item = Listed<'_>> {
        let mut refused = self.refused.iter().peekable();
        let mut rows = (0..).zip(self.files.iter());
        let mut passed = 0;
        std::iter::from_fn(move || {
            if let Some(entry) = refused.next_if(|entry| entry.after <= passed) {
                return Some(Listed { what: Err(&entry.refused), kind: entry.kind });
            }
            let (row, file) = rows.next()?;
            passed += 1;
            let kind = if self.unsaid.contains(&row) { EntryKind::Unsaid } else { EntryKind::File };
            Some(Listed { what: Ok(file), kind })
        })
    }

    /// The rows of the files, so that what lies below a name follows it.
    fn in_tree_order(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..).take(self.files.len()).collect();
        rows.sort_unstable_by(|one, other| tree_order(self.name(*one), self.name(*other)));
        rows
    }

    fn name(&self, row: u32) -> &str {
        self.files.get(row as usize).map_or("", |file| file.path.as_str())
    }

    /// The same with one entry for each name.
    fn once_each(self) -> Result<Self, Nonsense> {
        let repeated = self.repeated();
        if repeated.is_empty() {
            return Ok(self);
        }
        let mut counts: HashMap<&str, (Result<ListedFile, Refused>, EntryKind)> = HashMap::new();
        for entry in self.entries().filter(|entry| repeated.contains(entry.name())) {
            match counts.entry(entry.name()) {
                Entry::Vacant(place) => drop(place.insert((entry.owned(), entry.kind))),
                Entry::Occupied(mut place) => {
                    let (first, kind) = place.get_mut();
                    *first = either(first, entry.owned());
                    *kind = if entry.kind == EntryKind::Unsaid { entry.kind } else { *kind };
                }
            }
        }
        let mut all = Self::default();
        for entry in self.entries() {
            let put = match (repeated.contains(entry.name()), counts.remove(entry.name())) {
                (_, Some((what, kind))) => all.put(what, kind),
                (true, None) => Ok(()),
                (false, None) => all.put(entry.owned(), entry.kind),
            };
            put.map_err(|TooManyFiles| Nonsense::TooManyFiles)?;
        }
        Ok(all)
    }

    /// Names that are listed more than once.
    fn repeated(&self) -> HashSet<String> {
        let rows = self.in_tree_order();
        let pairs = rows.windows(2).filter(|pair| self.name(pair[0]) == self.name(pair[1]));
        let mut repeated: HashSet<String> = pairs.map(|pair| self.name(pair[0]).to_owned()).collect();
        let mut refused = HashSet::new();
        for RefusedEntry { refused: Refused { name, .. }, .. } in &self.refused {
            let is_file = rows.binary_search_by(|row| tree_order(self.name(*row), name)).is_ok();
            if !refused.insert(name) || is_file {
                repeated.insert(name.clone());
            }
        }
        repeated
    }

    /// The same without what has to be a folder. Where the server does not say what it is, it is one.
    fn without_folders(self) -> Result<Self, Nonsense> {
        let folders = self.folders();
        if folders.is_empty() {
            return Ok(self);
        }
        let mut all = Self::default();
        for entry in self.entries() {
            let is_folder = folders.contains(entry.name());
            let put = match entry.what {
                _ if is_folder && entry.kind == EntryKind::Unsaid => Ok(()),
                Ok(file) if is_folder => {
                    let name = file.path.as_str().to_owned();
                    all.put(Err(Refused { name, reason: RefusalReason::Parent }), entry.kind)
                }
                _ => all.put(entry.owned(), entry.kind),
            };
            put.map_err(|TooManyFiles| Nonsense::TooManyFiles)?;
        }
        Ok(all)
    }

    /// Names that files lie below.
    fn folders(&self) -> HashSet<String> {
        let rows = self.in_tree_order();
        let lies_below =
            |name: &str, folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let pairs = rows.windows(2).map(|pair| (self.name(pair[0]), self.name(pair[1])));
        let of_files = pairs.filter(|(name, next)| lies_below(next, name)).map(|(name, _)| name);
        let of_refused = self.refused.iter().map(|entry| entry.refused.name.as_str()).filter(|name| {
            let behind = rows.partition_point(|row| tree_order(self.name(*row), name) != Ordering::Greater);
            rows.get(behind).is_some_and(|row| lies_below(self.name(*row), name))
        });
        of_files.chain(of_refused).map(str::to_owned).collect()
    }
}

impl Listed<'_> {
    fn owned(self) -> Result<ListedFile, Refused> {
        self.what.map(ListedFile::from).map_err(Refused::clone)
    }
}

impl<'a> Listed<'a> {
    fn name(self) -> &'a str {
        self.what.map_or_else(|refused| refused.name.as_str(), |file| file.path.as_str())
    }
}

/// By the bytes of names, with `/` before all others: behind a name is what lies below it.
fn tree_order(one: &str, other: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    one.bytes().map(rank).cmp(other.bytes().map(rank))
}

/// Which of two entries of one name counts: one that can be had, and of two of those the one that describes the content.
/// Two that say the same are one.
fn either(
    first: &Result<ListedFile, Refused>,
    again: Result<ListedFile, Refused>,
) -> Result<ListedFile, Refused> {
    let (one, other) = match (first, again) {
        (Ok(one), Ok(other)) => (one, other),
        // What has been listed in two ways stays so.
        (Err(Refused { reason: RefusalReason::Resized(..) | RefusalReason::Redigested, .. }), _)
        | (_, Err(_)) => {
            return first.clone();
        }
        (Err(_), again) => return again,
    };
    let is_pointer =
        |file: &ListedFile| matches!(file.digest, Digest::GitSha1(_)) && file.size < LARGEST_POINTER;
    let is_large = |file: &ListedFile| matches!(file.digest, Digest::Sha256(_));
    let differ = |reason| Err(Refused { name: other.path.to_string(), reason });
    if *one == other || is_large(one) && is_pointer(&other) {
        Ok(one.clone())
    } else if is_pointer(one) && is_large(&other) {
        Ok(other)
    } else if one.size == other.size {
        differ(RefusalReason::Redigested)
    } else {
        differ(RefusalReason::Resized(one.size, other.size))
    }
}
