//! Where a list goes on: the `Link` header.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use super::Endpoint;

/// The address of the page after this one, or `None` on the last.
///
/// A mirror may pass on a `Link` that names the Hub it copies, or that lacks the path under which it does. What such a link
/// adds is its cursor, so that its query alone is taken: the list is continued where it began, and nowhere else.
pub(super) fn next(
    endpoint: &Endpoint,
    current: &Url,
    headers: &HeaderMap,
) -> Option<Result<Url, NextPageError>> {
    let links = headers.get_all(LINK).into_iter().filter_map(|value| value.to_str().ok());
    let target = links.flat_map(targets).find(|(_, relation)| relation == "next")?.0;
    Some(continued(endpoint, current, &target))
}

fn continued(endpoint: &Endpoint, current: &Url, target: &str) -> Result<Url, NextPageError> {
    let next = current.join(target).map_err(|_| NextPageError)?;
    let is_same_place = next.origin() == current.origin() && next.path() == current.path();
    if is_same_place && next.query().is_some() {
        return Ok(next);
    }
    if !next.query_pairs().any(|(name, _)| name == "cursor") {
        // Of no use elsewhere.
        return endpoint.path_below(&next).map(|_| next.clone()).ok_or(NextPageError);
    }
    // As they are sent: what is escaped stays so.
    let parts = |url: &Url| url.query().unwrap_or_default().split('&').map(str::to_owned).collect::<Vec<_>>();
    let name = |part: &str| part.split('=').next().unwrap_or_default().to_owned();
    let told = parts(&next);
    let kept = parts(current).into_iter().filter(|part| !told.iter().any(|other| name(other) == name(part)));
    let mut own = current.clone();
    own.set_query(Some(&kept.chain(told.iter().cloned()).collect::<Vec<_>>().join("&")));
    Ok(own)
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
        let endpoint = Endpoint::new("https://hub.example/mirror").unwrap();
        let current = Url::parse("https://hub.example/mirror/api/models/a/b/tree/c?recursive=true").unwrap();
        let own = |query: &str| Some(format!("https://hub.example/mirror/api/models/a/b/tree/c?{query}"));
        for (header, expected) in [
            ("", None),
            ("<https://hub.example/x>; rel=\"last\"", None),
            ("<?recursive=true&cursor=3>; rel=next", own("recursive=true&cursor=3")),
            ("<https://hub.example/mirror/api/models/a/b/tree/c?cursor=a,b;c>;rel=next", own("cursor=a,b;c")),
            // Without the path prefix, of the upstream, without encryption, by an inner name.
            (
                "</api/models/a/b/tree/c?recursive=true&cursor=1>; rel=\"next\"",
                own("recursive=true&cursor=1"),
            ),
            (
                "<https://huggingface.co/api/models/a/b/tree/c?cursor=4>; rel=\"next\"",
                own("recursive=true&cursor=4"),
            ),
            (
                "<http://hub.example/mirror/api/models/a/b/tree/c?limit=5&cursor=Zm9v%3D>; rel=next",
                own("recursive=true&limit=5&cursor=Zm9v%3D"),
            ),
            ("<http://app-7f9:8080/api/x?cursor=5>; rel=next", own("recursive=true&cursor=5")),
            (
                "</x>; rel=\"prev\", </mirror/y?c=2>; title=\"t\"; REL=\"next last\"",
                Some("https://hub.example/mirror/y?c=2".to_owned()),
            ),
            ("<unclosed; rel=next", None),
        ] {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static(header))]);
            let seen = next(&endpoint, &current, &headers).map(|next| next.unwrap().to_string());
            assert_eq!(seen, expected, "{header}");
        }
        for nowhere in
            ["<http://[>; rel=next", "<https://other.example/x?page=2>; rel=next", "</x?page=2>; rel=next"]
        {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_static(nowhere))]);
            assert_eq!(next(&endpoint, &current, &headers), Some(Err(NextPageError)), "{nowhere}");
        }
    }
}
