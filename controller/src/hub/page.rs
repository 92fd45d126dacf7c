//! Where a list goes on: the `Link` header.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// The address of the page after this one, or `None` on the last.
///
/// A mirror may pass on a `Link` that names the Hub it copies. What such a link adds is its cursor, so an address of
/// another origin is taken for its query alone: the list is never continued anywhere but where it began.
pub(super) fn next(current: &Url, headers: &HeaderMap) -> Option<Result<Url, NextPageError>> {
    let links = headers.get_all(LINK).into_iter().filter_map(|value| value.to_str().ok());
    let target = links.flat_map(targets).find(|(_, relation)| relation == "next")?.0;
    Some(current.join(&target).map_err(|_| NextPageError).map(|next| {
        if next.origin() == current.origin() {
            return next;
        }
        let mut own = current.clone();
        own.set_query(next.query());
        own
    }))
}

/// A link to a next page that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextPageError;

/// The targets and relations of one header: `<a>; rel="next", <b>; rel=last`. Commas within `<…>` belong to the target.
fn targets(header: &str) -> Vec<(String, String)> {
    let mut rest = header;
    let mut targets = Vec::new();
    while let Some((_, after)) = rest.split_once('<')
        && let Some((target, after)) = after.split_once('>')
    {
        let end = after.find('<').unwrap_or(after.len());
        let relation = after[..end].split([';', ',']).filter_map(|parameter| parameter.split_once('='));
        let relation =
            relation.filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel")).map(|(_, value)| value);
        let words = relation.flat_map(|value| value.trim().trim_matches('"').split_whitespace());
        targets.extend(words.map(|word| (target.to_owned(), word.to_ascii_lowercase())));
        rest = &after[end..];
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn finds_the_next_page() {
        let current = Url::parse("https://hub.example/api/models/a/b/tree/c?recursive=true").unwrap();
        for (header, expected) in [
            ("", None),
            ("<https://hub.example/x>; rel=\"last\"", None),
            ("<https://hub.example/x?cursor=1>; rel=\"next\"", Some("https://hub.example/x?cursor=1")),
            ("<https://hub.example/x?cursor=a,b;c>;rel=next", Some("https://hub.example/x?cursor=a,b;c")),
            (
                "</x>; rel=\"prev\", </y?c=2>; title=\"t\"; REL=\"next last\"",
                Some("https://hub.example/y?c=2"),
            ),
            ("<?cursor=3>; rel=next", Some("https://hub.example/api/models/a/b/tree/c?cursor=3")),
            (
                "<https://huggingface.co/api/models/a/b/tree/c?recursive=true&cursor=4>; rel=\"next\"",
                Some("https://hub.example/api/models/a/b/tree/c?recursive=true&cursor=4"),
            ),
            (
                "<http://hub.example/x?cursor=5>; rel=next",
                Some("https://hub.example/api/models/a/b/tree/c?cursor=5"),
            ),
            ("<unclosed; rel=next", None),
        ] {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static(header))]);
            let seen = next(&current, &headers).map(|next| next.unwrap().to_string());
            assert_eq!(seen.as_deref(), expected, "{header}");
        }
        let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static("<http://[>; rel=next"))]);
        assert_eq!(next(&current, &headers), Some(Err(NextPageError)));
    }
}
