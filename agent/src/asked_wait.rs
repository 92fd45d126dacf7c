//! How long a server asks to be left alone: what `RateLimit` and `Retry-After` say. The same for the agent, which asks
//! CDNs, and for the controller, which asks the Hub.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The rest of the window of an exhausted `RateLimit` (IETF draft 9, what the Hub sends), or else `Retry-After`, as it
/// is said: in whole seconds.
pub fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let texts = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let exhausted = texts(HeaderName::from_static("ratelimit")).filter_map(exhausted_for).max();
    let until =
        |text: &str| text.trim().parse().ok().or_else(|| Some(instant(text)?.saturating_sub(now(headers))));
    let seconds = exhausted.or_else(|| texts(RETRY_AFTER).find_map(until));
    seconds.map(Duration::from_secs)
}

/// Such a wait as a person reads it: `55 s`, `6 min`, `24 h`.
pub fn wait_in_words(wait: Duration) -> String {
    let whole = |unit: u64| wait.as_secs().saturating_add(unit / 2) / unit;
    match wait.as_secs() {
        ..120 => format!("{} s", whole(1)),
        120..7_200 => format!("{} min", whole(60)),
        7_200.. => format!("{} h", whole(3_600)),
    }
}

/// How many seconds a `RateLimit: "api";r=0;t=55` has left, if nothing remains of any of its buckets.
fn exhausted_for(header: &str) -> Option<u64> {
    let bucket = |item: &str| {
        let number = |name: &str| {
            let mut parameters = item.split(';').filter_map(|parameter| parameter.split_once('='));
            let value = parameters.find(|(key, _)| key.trim() == name)?.1;
            value.trim().parse::<u64>().ok()
        };
        (number("r")? == 0).then(|| number("t"))?
    };
    header.split(',').filter_map(bucket).max()
}

/// What the time is, in seconds since 1970: by the server's own clock, where it tells. A box's may be far off.
fn now(headers: &HeaderMap) -> u64 {
    let told = headers.get(DATE).and_then(|value| instant(value.to_str().ok()?));
    told.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may still write (RFC 9110, 5.6.7), in seconds since 1970.
fn instant(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.trim().split(' ');
    let day: u64 = words.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut time = words.next()?.splitn(3, ':');
    let mut number = |most: u64| time.next()?.parse().ok().filter(|number: &u64| *number <= most);
    // A minute may have 61 seconds.
    let (hour, minute, second) = (number(23)?, number(59)?, number(60)?);
    if words.next() != Some("GMT") {
        return None;
    }
    // Years begin in March here, so that the day that some have more is their last.
    let (years, months) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = years / 4 - years / 100 + years / 400;
    let days = years * 365 + leap_days + (153 * months + 2) / 5 + day;
    // Days from the 1st of March of the year 0 to the 1st of January 1970, and one because days of months begin at 1.
    let days = days.checked_sub(719_468 + 1)?;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn waits_as_long_as_the_server_names() {
        let noon = ("date", "Wed, 21 Oct 2026 12:00:00 GMT");
        for (headers, seconds) in [
            (vec![], None),
            (vec![("ratelimit", "\"api\";r=0;t=55")], Some(55)),
            (vec![("ratelimit", "\"api\" ; r = 0 ; t = 55")], Some(55)),
            (vec![("ratelimit", "\"api\";r=3;t=55")], None),
            (vec![("ratelimit", "\"api\";r=3;t=55, \"resolvers\";r=0;t=7")], Some(7)),
            (vec![("ratelimit", "\"api\";r=3;t=55"), ("retry-after", "12")], Some(12)),
            (vec![("ratelimit", "\"api\";r=0;t=5"), ("retry-after", "12")], Some(5)),
            (vec![("ratelimit", "\"api\";r=0"), ("retry-after", " 9 ")], Some(9)),
            (vec![("ratelimit", "\"api\";r=0;t=-5")], None),
            (vec![("retry-after", "soon")], None),
            (vec![("retry-after", "Wed, 21 Oct 2026 12:00:07 GMT"), noon], Some(7)),
            (vec![("retry-after", "Thu, 22 Oct 2026 12:00:00 GMT"), noon], Some(86_400)),
            // What is over by the server's clock is over.
            (vec![("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), noon], Some(0)),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(0)),
        ] {
            let map =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            assert_eq!(asked_wait(&map.collect()), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn dates_are_those_of_date() {
        // `date --utc --date '…' +%s`
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 08:49", None),
            ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", None),
            (", ", None),
        ] {
            assert_eq!(instant(text), seconds, "{text}");
        }
    }
}
