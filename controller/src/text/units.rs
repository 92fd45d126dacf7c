//! Sizes, rates, durations and counts as users read them: decimal units, two or three digits.

use std::time::{Duration, SystemTime};

const UNITS: [(&str, u64); 5] = [
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
];

/// A size: `8 B`, `5.2 GB`, `548 MB`.
pub(crate) fn bytes(size: u64) -> String {
    if size < 1_000 {
        return format!("{size} B");
    }
    let mut text = String::new();
    for (name, unit) in UNITS {
        let in_units =
            |parts: u64| (u128::from(size) * u128::from(parts) + u128::from(unit / 2)) / u128::from(unit);
        let (tenths, whole) = (in_units(10), in_units(1));
        text = if tenths < 100 {
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        } else {
            format!("{whole} {name}")
        };
        if whole < 1_000 {
            break;
        }
    }
    text
}

/// A part of a size: `9.1 of 210 GB`, `665 B of 5.2 GB`.
pub(crate) fn bytes_of(part: u64, whole: u64) -> String {
    let (part, whole) = (bytes(part), bytes(whole));
    match (part.rsplit_once(' '), whole.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} of {whole}"),
        _ => format!("{part} of {whole}"),
    }
}

/// A rate in bytes per second: `118 MB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// The mean rate of so many bytes over a time, in bytes per second; nothing can be said of no time at all.
pub(crate) fn mean_rate(bytes: u64, over: Duration) -> Option<u64> {
    let rate = (u128::from(bytes) * 1_000).checked_div(over.as_millis())?;
    u64::try_from(rate).ok()
}

/// A duration: `40 ms`, `0.8 s`, `12 s`, `1 m 12 s`, `2 h 05 m`.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 100 {
        return format!("{millis} ms");
    }
    let (tenths, seconds) = ((millis + 50) / 100, (millis + 500) / 1_000);
    if tenths < 100 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3_600 {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    } else {
        let minutes = (seconds + 30) / 60;
        format!("{} h {:02} m", minutes / 60, minutes % 60)
    }
}

/// How long ago something was, in its largest unit: `just now`, `5 minutes ago`, `2 days ago`.
pub(crate) fn ago(since: Duration) -> String {
    const UNITS: [(&str, u64); 5] =
        [("year", 31_536_000), ("month", 2_592_000), ("day", 86_400), ("hour", 3_600), ("minute", 60)];
    // Months begin where days of two digits would go on into three.
    const DAYS: u64 = 100 * 86_400;
    let seconds = since.as_secs();
    let fits = |name: &str, unit: u64| seconds >= unit && (name != "month" || seconds >= DAYS);
    match UNITS.into_iter().find(|(name, unit)| fits(name, *unit)) {
        Some((name, unit)) => format!("{} ago", count(seconds / unit, name)),
        None => "just now".to_owned(),
    }
}

/// An instant as programs read it (RFC 3339, UTC): `2026-11-22T21:31:34Z`.
pub(crate) fn instant(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the day that some of them have more is their last, from the year 0 on.
    let from_zero = days + 719_468;
    let (era, day) = (from_zero / 146_097, from_zero % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The time that is left, in whole seconds, because it is a guess: `1 s`, `1 m 12 s`.
pub(crate) fn left(left: Duration) -> String {
    let seconds = left.as_secs().max(1);
    if seconds < 10 { format!("{seconds} s") } else { duration(Duration::from_secs(seconds)) }
}

/// A part in whole percent, rounded down, so that 100 means all of it.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    let percent = (u128::from(part) * 100).checked_div(u128::from(whole));
    percent.map_or(100, |percent| u64::try_from(percent.min(100)).unwrap_or(100))
}

/// A count and its noun: `1 file`, `3 files`.
pub(crate) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A number whose digits are read in threes: `312,000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_threes() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (312_000, "312,000"), (1 << 20, "1,048,576")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (size, text) in [
            (0, "0 B"),
            (8, "8 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (389_000_000, "389 MB"),
            (548_105_171, "548 MB"),
            (5_200_000_000, "5.2 GB"),
            (1_500_000_000_000, "1.5 TB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
        assert_eq!(rate(118_000_000), "118 MB/s");
    }

    #[test]
    fn what_was_is_told_in_its_largest_unit() {
        const DAY: u64 = 86_400;
        for (seconds, text) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (2 * DAY, "2 days ago"),
            (99 * DAY, "99 days ago"),
            (100 * DAY, "3 months ago"),
            (364 * DAY, "12 months ago"),
            (800 * DAY, "2 years ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn instants_are_those_of_the_calendar() {
        // `date -u -d @…`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_824_694, "2026-11-28T00:11:34Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(instant(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn durations_have_one_or_two_units() {
        for (millis, text) in [
            (0, "0 ms"),
            (40, "40 ms"),
            (99, "99 ms"),
            (100, "0.1 s"),
            (800, "0.8 s"),
            (4_640, "4.6 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 m 00 s"),
            (72_000, "1 m 12 s"),
            (3_599_499, "59 m 59 s"),
            (3_599_500, "1 h 00 m"),
            (7_500_000, "2 h 05 m"),
            (7_199_000, "2 h 00 m"),
            (100 * 3_600_000, "100 h 00 m"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn a_guess_has_whole_seconds() {
        for (millis, text) in [(0, "1 s"), (1_900, "1 s"), (9_000, "9 s"), (72_000, "1 m 12 s")] {
            assert_eq!(left(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn all_but_a_byte_is_not_all() {
        for (part, whole, expected) in [
            (0, 10, 0),
            (710, 1_000, 71),
            (999, 1_000, 99),
            (10, 10, 100),
            (11, 10, 100),
            (0, 0, 100),
            (u64::MAX - 1, u64::MAX, 99),
        ] {
            assert_eq!(percent(part, whole), expected, "{part} of {whole}");
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!((count(1_u32, "file").as_str(), count(0_u32, "file").as_str()), ("1 file", "0 files"));
        assert_eq!(count(26_usize, "file"), "26 files");
    }

    #[test]
    fn a_rate_needs_time() {
        assert_eq!(mean_rate(1_000, Duration::ZERO), None);
        assert_eq!(mean_rate(548_000_000, Duration::from_millis(4_600)), Some(119_130_434));
    }
}
