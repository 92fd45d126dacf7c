//! Blobs that several names, revisions and programs share.
