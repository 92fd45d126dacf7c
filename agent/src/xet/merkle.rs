//! What the Xet store calls a file: the root of a tree of BLAKE3 hashes over its chunks.
//!
//! Each level is cut into groups of two to nine nodes, after those whose hashes say so, and each group is a node of the next
//! level. The tree is built while the chunks come: of each level only the last group is held.

use hfdown_protocol::XetHash;

const CHUNK_KEY: [u8; 32] = [
    102, 151, 245, 119, 91, 149, 80, 222, 49, 53, 203, 172, 165, 151, 24, 28, 157, 228, 33, 16, 155, 235, 43,
    88, 180, 208, 176, 75, 147, 173, 242, 41,
];
const NODE_KEY: [u8; 32] = [
    1, 126, 197, 199, 165, 71, 41, 150, 253, 148, 102, 102, 180, 138, 2, 230, 93, 221, 83, 111, 55, 199, 109,
    210, 248, 99, 82, 230, 74, 83, 113, 63,
];
const FILE_KEY: [u8; 32] = [0; 32];
/// One node in so many ends its group.
const MEAN_GROUP: u64 = 4;
/// A node ends a group only if it is the third one of it, or a later one.
const SHORTEST_ENDED: usize = 3;
/// A group that none has ended ends with so many.
const LONGEST_GROUP: usize = 9;

/// What a chunk is called.
pub(super) type ChunkHash = [u8; 32];

/// What a chunk of these bytes is called.
pub(super) fn chunk_hash(bytes: &[u8]) -> ChunkHash {
    *blake3::keyed_hash(&CHUNK_KEY, bytes).as_bytes()
}

#[derive(Debug, Clone, Copy)]
struct Node {
    hash: [u8; 32],
    size: u64,
}

/// The tree of a file's chunks, as far as these have come.
#[derive(Debug, Default)]
pub(super) struct Tree {
    levels: Vec<Level>,
}

/// The nodes of a level that have no parent yet.
#[derive(Debug, Default)]
struct Level {
    group: Vec<Node>,
    is_divided: bool,
}

impl Node {
    /// Whether it ends its group.
    fn ends_group(&self) -> bool {
        u64::from(self.hash[24]) % MEAN_GROUP == 0
    }

    fn parent_of(group: &[Self]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&NODE_KEY);
        for node in group {
            hasher.update(format!("{} : {}\n", XetHash(node.hash), node.size).as_bytes());
        }
        Self { hash: *hasher.finalize().as_bytes(), size: group.iter().map(|node| node.size).sum() }
    }
}

impl Tree {
    /// Adds the next chunk.
    pub(super) fn add(&mut self, hash: ChunkHash, size: u64) {
        self.add_at(0, Node { hash, size });
    }

    fn add_at(&mut self, mut height: usize, mut node: Node) {
        loop {
            if height == self.levels.len() {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[height];
            level.group.push(node);
            let length = level.group.len();
            if length < LONGEST_GROUP && !(length >= SHORTEST_ENDED && node.ends_group()) {
                return;
            }
            node = level.close();
            height += 1;
        }
    }

    /// What the file is called that these are all the chunks of.
    pub(super) fn file_hash(mut self) -> XetHash {
        let mut height = 0;
        while height < self.levels.len() {
            let level = &mut self.levels[height];
            if let ([root], false) = (&level.group[..], level.is_divided) {
                return XetHash(*blake3::keyed_hash(&FILE_KEY, &root.hash).as_bytes());
            }
            if !level.group.is_empty() {
                let node = level.close();
                self.add_at(height + 1, node);
            }
            height += 1;
        }
        XetHash([0; 32])
    }
}

impl Level {
    /// Ends the group, whose parent it returns.
    fn close(&mut self) -> Node {
        self.is_divided = true;
        let node = Node::parent_of(&self.group);
        self.group.clear();
        node
    }
}
