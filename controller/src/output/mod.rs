//! What a person or a program sees.

pub mod sanitize;
