//! Which answers are taken.
