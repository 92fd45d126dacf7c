//! Large models: memory that does not grow with them, and no step that is made for each file where one for all will do.
//!
//! What runs here takes seconds; the same at full size, 20 GB and 20,000 files, takes minutes and a disk:
//! `cargo test --release --package hfdown-tests --test scale -- --ignored --nocapture --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where")]
#![expect(clippy::print_stderr, reason = "what was measured is worth a look")]

mod scale {
    mod many;
    mod memory;
}
