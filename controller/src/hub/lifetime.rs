//! For how long a signed address is good, as far as it says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use hfdown_protocol::Address;
use serde_json::Value;

/// What a clock that is wrong makes of an end may be anything: what is longer says nothing.
const LONGEST: Duration = Duration::from_secs(7 * DAY);
const DAY: u64 = 24 * 60 * 60;

/// For how long from now an address is good; none where it does not say, or where the clocks here and there are too far
/// apart for what it says to mean anything.
pub fn lifetime(address: &Address, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let value = |name: &str| {
        let mut pairs = address.expose().query_pairs();
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let number = |name: &str| value(name)?.parse::<u64>().ok();
    // S3 and Google count from when they signed.
    let dated = |prefix: &str| {
        let signed = seconds_of(&value(&format!("X-{prefix}-Date"))?)?;
        signed.checked_add(number(&format!("X-{prefix}-Expires"))?)
    };
    let end = dated("Amz").or_else(|| dated("Goog")).or_else(|| number("Expires"));
    let end = end.or_else(|| end_of_policy(&value("Policy")?))?;
    let left = Duration::from_secs(end.checked_sub(now)?);
    (!left.is_zero() && left <= LONGEST).then_some(left)
}

/// The end of a policy of `CloudFront`'s: JSON in base64, whose signs are others.
fn end_of_policy(policy: &str) -> Option<u64> {
    let base64 = policy.replace('-', "+").replace('_', "=").replace('~', "/");
    let policy: Value = serde_json::from_slice(&BASE64.decode(base64.as_bytes()).ok()?).ok()?;
    policy.pointer("/Statement/0/Condition/DateLessThan/AWS:EpochTime")?.as_u64()
}

/// `20261128T034500Z`, in seconds since 1970.
fn seconds_of(date: &str) -> Option<u64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if date.len() != 16 || !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // The year begins with March, so that its odd day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    (days.checked_sub(719_468)? * DAY + hour * 3600 + minute * 60).checked_add(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28, 03:45:00.
    const NOW: u64 = 1_795_837_500;

    fn left(query: &str) -> Option<u64> {
        let address = Address::new(&format!("https://cdn.example/a?{query}")).unwrap();
        lifetime(&address, UNIX_EPOCH + Duration::from_secs(NOW)).map(|left| left.as_secs())
    }

    #[test]
    fn what_signed_addresses_say_of_their_end_is_understood() {
        let policy = |policy: &str| {
            let base64 = BASE64.encode(policy.as_bytes());
            format!("Policy={}", base64.replace('+', "-").replace('=', "_").replace('/', "~"))
        };
        let ends = |at: u64| {
            format!(
                r#"{{"Statement":[{{"Resource":"*","Condition":{{"DateLessThan":{{"AWS:EpochTime":{at}}}}}}}]}}"#
            )
        };
        for (query, seconds) in [
            ("X-Amz-Date=20261128T034500Z&X-Amz-Expires=3600&X-Amz-Signature=a", Some(3600)),
            ("X-Amz-Expires=3600&X-Amz-Date=20261128T031500Z", Some(1800)),
            ("X-Goog-Date=20261127T235959Z&X-Goog-Expires=86400", Some(86_400 - 13_501)),
            (&format!("Expires={}&Policy=x&Signature=y&Key-Pair-Id=z", NOW + 60), Some(60)),
            (&policy(&ends(NOW + 90)), Some(90)),
            // Nothing, nonsense, the past, and what no one signs.
            ("", None),
            ("download=true", None),
            ("Expires=tomorrow", None),
            ("X-Amz-Date=20261128T034500Z", None),
            ("X-Amz-Date=20261328T034500Z&X-Amz-Expires=3600", None),
            ("X-Amz-Date=20261128T034500Z&X-Amz-Expires=18446744073709551615", None),
            (&format!("Expires={}", NOW - 1), None),
            (&format!("Expires={NOW}"), None),
            (&format!("Expires={}", u64::MAX), None),
            (&policy("{}"), None),
            ("Policy=%FF", None),
        ] {
            assert_eq!(left(query), seconds, "{query}");
        }
        for (date, seconds) in
            [("19700101T000000Z", 0), ("20000229T120000Z", 951_825_600), ("20261128T034500Z", NOW)]
        {
            assert_eq!(seconds_of(date), Some(seconds), "{date}");
        }
        for date in ["", "20261128", "2026-11-28T03:45Z", "20261128T034500Z0", "１９７００１０１T000000Z"]
        {
            assert_eq!(seconds_of(date), None, "{date}");
        }
    }
}
