//! Large models: memory that does not grow with them, and no step that is made for each file where one for all will do.
//!
//! What runs here takes seconds; the same at full size, 20 GB and 20,000 files, takes minutes and a disk:
//! `cargo test --release -p hfdown-tests --test isolated -- --ignored --nocapture --test-threads 1`.

mod fleet;
mod many;
mod memory;
mod million;
mod odd_files;
mod xet;
