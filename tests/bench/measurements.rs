//! What is counted.

use std::time::Duration;

use crate::servers::Traffic;

/// What the system says of a process and its descendants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time together.
    pub(crate) cpu: Duration,
    /// Peak resident bytes of the largest of the processes.
    pub(crate) memory: u64,
}

impl Cost {
    /// One after the other.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { wall: self.wall + next.wall, cpu: self.cpu + next.cpu, memory: self.memory.max(next.memory) }
    }

    pub(crate) fn to_line(self) -> String {
        format!("{} {} {}", self.wall.as_nanos(), self.cpu.as_nanos(), self.memory)
    }

    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map(|word| word.parse::<u64>().ok());
        let (wall, cpu, memory) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Self { wall: Duration::from_nanos(wall), cpu: Duration::from_nanos(cpu), memory })
    }
}

/// One program's run.
#[derive(Clone, Debug)]
pub(crate) struct Measurements {
    pub(crate) cost: Cost,
    /// How long it took afterwards until all was on the disk, where there is one.
    pub(crate) flushed: Option<Duration>,
    pub(crate) traffic: Traffic,
    /// Bytes that were sent before and again, where that was to be seen.
    pub(crate) again: Option<u64>,
    /// What the system still had in its buffers when the first run was killed.
    pub(crate) buffered: Option<u64>,
}

/// The middle one of some rounds; of two middle ones, the smaller.
pub(crate) fn median<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_as_it_was_written() {
        let cost = Cost { wall: Duration::from_nanos(3), cpu: Duration::from_secs(2), memory: 1 };
        assert_eq!(Cost::of_line(&cost.to_line()), Some(cost));
        assert_eq!(Cost::of_line("3 2"), None);
        assert_eq!(cost.then(cost), Cost { wall: 2 * cost.wall, cpu: 2 * cost.cpu, memory: 1 });
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([5, 1, 3].into_iter()), Some(3));
        assert_eq!(median([4, 1, 3, 2].into_iter()), Some(2));
        assert_eq!(median([0; 0].into_iter()), None);
    }
}
