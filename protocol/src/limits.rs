//! Every bound of the conversation, with its reason. A peer that exceeds one has broken the protocol.

/// The longest frame in bytes, checked before anything is allocated for it.
pub const FRAME: usize = 1 << 20;

/// The most entries in one list; longer ones travel as several frames. Many frames may wait in a queue: with a million files
/// these would be all of them, were the frames large.
pub const ENTRIES: usize = 512;

/// How many bytes of list entries a sender packs into one frame before it starts the next.
pub const BATCH_BYTES: usize = FRAME / 2;

/// The longest path in bytes: Linux's own `PATH_MAX`.
pub const PATH: usize = 4096;

/// The longest component of a path in bytes: what ext4, xfs, APFS and NTFS allow.
pub const PATH_COMPONENT: usize = 255;

/// The longest address in bytes. Signed addresses of the Hub's CDN are about 1.5 KiB.
pub const ADDRESS: usize = 16 * 1024;

/// The longest free text in bytes (error details, machine names).
pub const TEXT: usize = 8 * 1024;

/// The most kinds of failures in one status. There are half as many.
pub const KINDS: usize = 32;

/// The most bytes of certificates in one `Trust`. A company has a few, of 1 to 2 KiB each.
pub const AUTHORITIES: usize = 256 * 1024;

/// The most bytes of file content in one `Inline` frame.
pub const INLINE: usize = 256 * 1024;

/// How many bytes of a stream may be on their way or wait to be taken. At 100 ms of delay, four streams carry 10 MB/s.
pub const WINDOW: usize = 256 * 1024;

/// The most streams at once: one for each connection that a user may ask for, and as many that have just been closed.
/// Their windows are 32 MiB.
pub const STREAMS: usize = 128;

/// The most files one conversation may speak of. A listing of a million is about 90 MB, see
/// [`FileTable`](crate::FileTable).
pub const FILES: usize = 1_000_000;

/// Bytes in the names of all of them: 134 of each.
pub const NAMES: usize = 128 << 20;

/// How much shell noise may precede the agent's greeting, in bytes: banners, `.bashrc` chatter, a message of the day.
pub const NOISE: usize = 64 * 1024;

/// How long a controller may stay silent before the agent gives up, in seconds. It pings far more often.
pub const SILENCE_SECONDS: u64 = 60;

/// How often a controller pings, in seconds.
pub const PING_SECONDS: u64 = 5;

/// How many bytes of sources may be given before they are wanted: they wait in the memory of an agent that was
/// detached.
pub const HANDED_OVER: usize = 32 << 20;

/// The largest file whose bytes may travel `Inline`, in bytes. The Hub itself keeps files over 10 MB in LFS.
pub const INLINE_FILE: u64 = 32 << 20;

/// The most gaps in a file of which terms are asked for at once. Where there are more, neighbours count as one.
pub const GAPS: usize = 64;

/// The most terms in one answer. A file of 50 GB that shares no chunk with another has 800; with more than this it is in
/// such small pieces that plain ranges are no worse.
pub const TERMS: usize = 64 * 1024;

/// The most xorb ranges in one answer. With their addresses, of some 700 bytes each, they wait in the agent's memory.
pub const XORB_RANGES: usize = 8 * 1024;

/// The most files that a survey tells as bases. Each may cost the controller two questions to the Hub.
pub const BASES: usize = 1024;

/// The most chunk runs in one conversation: 4 MB in the agent's memory, and what describes 8 TB twice where nothing is shared.
pub const CHUNK_RUNS: usize = 256 * 1024;
