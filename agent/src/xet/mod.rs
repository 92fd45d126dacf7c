//! What the Hub's Xet store is made of: pure functions and values.

mod reconstruction;

pub(crate) use reconstruction::Reconstruction;
