//! Caches that can't be used, and what is said of them.
