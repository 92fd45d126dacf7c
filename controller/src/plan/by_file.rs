//! Something about every wanted file, where it mostly is the same few things: a byte each, and the rest apart.

use std::collections::HashMap;

use hfdown_protocol::{Found, Proof};

use super::{Action, Reason};

/// Values by the number of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ByFile<T> {
    /// Which of [`Common::VALUES`] it is, from 1; or one of these.
    bytes: Vec<u8>,
    others: HashMap<u32, T>,
}

/// Not known yet.
const UNKNOWN: u8 = 0;
/// None of the common ones.
const OTHER: u8 = u8::MAX;

/// What is common of a kind of values.
pub trait Common: Clone + PartialEq + Sized + 'static {
    /// The values.
    const VALUES: &'static [Self];
}

impl Common for Found {
    const VALUES: &'static [Self] = &[
        Self::Absent { partial: 0 },
        Self::Intact { proof: Proof::Recorded },
        Self::Intact { proof: Proof::Read },
        Self::Intact { proof: Proof::SizeOnly },
    ];
}

impl Common for Action {
    const VALUES: &'static [Self] = &[
        Self::Fetch { reason: Reason::Missing, replaces: None, partial: 0 },
        Self::Keep { proof: Proof::Recorded },
        Self::Keep { proof: Proof::Read },
        Self::Keep { proof: Proof::SizeOnly },
    ];
}

impl<T> Default for ByFile<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), others: HashMap::new() }
    }
}

impl<T: Common> ByFile<T> {
    /// Nothing yet, of so many files.
    pub fn unknown(files: usize) -> Self {
        Self { bytes: vec![UNKNOWN; files], others: HashMap::new() }
    }

    /// What is known of a file.
    pub fn get(&self, index: usize) -> Option<T> {
        match *self.bytes.get(index)? {
            UNKNOWN => None,
            OTHER => self.others.get(&u32::try_from(index).ok()?).cloned(),
            common => T::VALUES.get(usize::from(common) - 1).cloned(),
        }
    }

    /// Whether nothing is known of a file that there is.
    pub fn is_unknown(&self, index: usize) -> bool {
        self.bytes.get(index) == Some(&UNKNOWN)
    }

    /// Whether something is known of every file.
    pub fn is_whole(&self) -> bool {
        !self.bytes.contains(&UNKNOWN)
    }

    /// Takes note of what is known of a file.
    pub fn set(&mut self, index: usize, value: T) {
        let (Some(byte), Ok(number)) = (self.bytes.get_mut(index), u32::try_from(index)) else { return };
        let common = T::VALUES.iter().zip(UNKNOWN + 1..).find(|(common, _)| **common == value);
        if let Some((_, common)) = common {
            *byte = common;
            self.others.remove(&number);
        } else {
            *byte = OTHER;
            self.others.insert(number, value);
        }
    }

    /// Adds a file behind the others.
    pub fn push(&mut self, value: T) {
        self.bytes.push(UNKNOWN);
        self.set(self.bytes.len() - 1, value);
    }
}

impl<T: Common> FromIterator<T> for ByFile<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.push(value));
        all
    }
}
