//! How long a server asks to be left alone: what `RateLimit` and `Retry-After` say. The same for the agent, which asks
//! CDNs, and for the controller, which asks the Hub.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The rest of the window of an exhausted `RateLimit` (IETF draft 9, what the Hub sends), or else `Retry-After`, as it
/// is said: in whole seconds.
pub fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let texts = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let exhausted = texts(HeaderName::from_static("ratelimit")).filter_map(exhausted_for).max();
    let until = |text: &str| {
        let from_now = |at: SystemTime| at.duration_since(now(headers)).unwrap_or_default().as_secs();
        text.trim().parse().ok().or_else(|| instant(text).map(from_now))
    };
    let seconds = exhausted.or_else(|| texts(RETRY_AFTER).find_map(until));
    seconds.map(Duration::from_secs)
}

/// Such a wait as a user reads it: `55 s`, `6 min`, `24 h`.
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

/// What the time is, by the server's own clock, where it tells. A box's may be far off.
fn now(headers: &HeaderMap) -> SystemTime {
    headers.get(DATE).and_then(|value| instant(value.to_str().ok()?)).unwrap_or_else(SystemTime::now)
}

fn instant(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
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
}
