//! What stands between us and the Hub and answers in its place: portals, proxies, mirrors that lead elsewhere, and a CDN
//! that refuses what was signed for it. Each is said to be what it is, at once.

use axum::body::Body;
use axum::response::Response;
use hfdown_tests::hub::{CannedAnswer, Content, Gate, HubFault, HubOrigin, When};
use hfdown_tests::sandbox::{DestinationKind, Sandbox, run};

use crate::places::HFDOWN;
use crate::refusals::words::{assert_untouched, refused};
use crate::stranger::Stranger;

const MODEL: &str = "acme/intercepted";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 9_000_000;
const TOKEN: &str = "hf_tokenOfThisTest";
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Guest\n WLAN &amp; more</title></head><body><form>Log in</form></body></html>";

fn publish(sandbox: &Sandbox) {
    let model = sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(31, SIZE));
    model.file("README.html", PAGE).commit();
}

fn canned(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Vec<u8>>) -> HubFault {
    HubFault::Answer(CannedAnswer { status, headers: headers.to_vec(), body: body.into() })
}

fn html(status: u16, body: &str) -> HubFault {
    canned(status, &[("content-type", "text/html; charset=utf-8")], body)
}

fn gzipped(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const IN_BETWEEN: &str = "; a proxy or a login portal is in between";
const HINT: &str = "hint: open any page in a browser to log in to the network, or check the proxy settings (HTTPS_PROXY, NO_PROXY); \
                    HF_ENDPOINT=HUB must be the address of a Hub, and not that of a website";

async fn what_is_no_answer_of_the_hubs_is_said_to_be_that(sandbox: Sandbox) {
    publish(&sandbox);
    let zscaler = "<html><title>Internet Security by Zscaler</title><body>blocked";
    for (fault, said) in [
        (html(200, PAGE), "a web page came instead (\"Guest WLAN & more\")"),
        (
            canned(200, &[("content-type", "application/json")], PAGE),
            "a web page came instead (\"Guest WLAN & more\")",
        ),
        (canned(200, &[], format!("\u{feff}\n {PAGE}")), "a web page came instead (\"Guest WLAN & more\")"),
        (html(200, "Please log in."), "a web page came instead"),
        (
            canned(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], gzipped("{}")),
            "compressed data (gzip) came though none was asked for",
        ),
        (
            canned(200, &[("content-type", "application/json")], gzipped("{}")),
            "compressed data (gzip) came though none was asked for",
        ),
        (html(511, PAGE), "511 came instead (a web page, \"Guest WLAN & more\")"),
        (canned(511, &[], ""), "511 came instead"),
        (html(403, zscaler), "403 came instead (a web page, \"Internet Security by Zscaler\")"),
        (html(407, zscaler), "407 came instead (a web page, \"Internet Security by Zscaler\")"),
    ] {
        for asked in ["/revision/", "/tree/"] {
            let armed = sandbox.hub.fault(fault.clone(), When::path(asked));
            let refusal = refused(&sandbox, &["info", MODEL], &[], 6).await;
            assert!(refusal.contains(&format!("{said}{IN_BETWEEN}\n")), "{said}: {refusal}");
            assert!(refusal.ends_with(HINT), "{refusal}");
            assert!(!refusal.contains('<'), "tags are for browsers: {refusal}");
            assert_eq!(armed.times_struck(), 2, "each of two runs asks once");
            armed.lift();
        }
    }
    assert_untouched(&sandbox);
}

/// A proxy's own trouble passes, and is waited for.
async fn a_gateways_page_is_told_by_its_title(sandbox: Sandbox) {
    publish(&sandbox);
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center><hr>nginx";
    let armed = sandbox.hub.fault(html(502, page), When::path("/revision/"));
    let ended = run(sandbox.hfdown(["info", MODEL])).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("502: a web page, \"502 Bad Gateway\"") && !ended.stderr.contains('<'),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("hint: the Hub, or a proxy before it, has trouble"), "{}", ended.stderr);
    armed.lift();
    sandbox.hub.fault(html(503, page), When::path("/revision/").first(1));
    assert_eq!(run(sandbox.hfdown(["info", MODEL])).await.code, 0);
}

async fn a_redirect_to_a_portal_is_not_followed(sandbox: Sandbox) {
    publish(&sandbox);
    sandbox.hub.token(TOKEN);
    let portal = Stranger::start(|_| Response::new(PAGE.into())).await;
    let target = format!("{}/login?back=hub", portal.endpoint);
    sandbox.hub.fault(HubFault::RedirectTo(target), When::path("/revision/"));
    for (variables, left) in [
        (&[][..], ""),
        (&[("HF_TOKEN", TOKEN)], ": the token was left behind, because it is for the Hub alone"),
    ] {
        let refusal = refused(&sandbox, &["info", MODEL], variables, 6).await;
        let said = format!(
            "it leads to {}, which was not asked{left}; a proxy or a login portal may be in between\n",
            portal.endpoint
        );
        assert!(refusal.contains(&said), "{refusal}");
        let hint = format!("if that is the Hub that you mean, set HF_ENDPOINT={}", portal.endpoint);
        assert!(refusal.ends_with(&hint), "{refusal}");
    }
    assert_eq!(portal.asked(), []);
}

async fn a_mirror_that_leads_to_another_hub_names_what_to_set(sandbox: Sandbox) {
    publish(&sandbox);
    sandbox.hub.token(TOKEN);
    let other = Stranger::start(|_| Response::new("{}".into())).await;
    for (prefix, asked) in [("/mirror/hf", "/revision/"), ("", "/revision/")] {
        let target = format!("{}{prefix}/api/models/{MODEL}{asked}main", other.endpoint);
        let armed = sandbox.hub.fault(HubFault::RedirectTo(target), When::path(asked));
        let refusal = refused(&sandbox, &["info", MODEL], &[("HF_TOKEN", TOKEN)], 1).await;
        let said = format!(
            "it leads to {}, which was not asked: the token was left behind, because it is for the Hub alone\n",
            other.endpoint
        );
        assert!(refusal.contains(&said), "{refusal}");
        let hint =
            format!("hint: if that is the Hub that you mean, set HF_ENDPOINT={}{prefix}", other.endpoint);
        assert!(refusal.ends_with(&hint), "{refusal}");
        armed.lift();
    }
    assert_eq!(other.asked(), []);
}

/// A private file that is at another Hub: it is asked without the token, and refuses.
async fn a_private_file_at_another_hub_says_so(sandbox: Sandbox) {
    sandbox.hub.model("acme/gated").lfs(FILE, Content::random(31, SIZE)).gated(Gate::Auto, TOKEN).commit();
    let other =
        Stranger::start(|_| Response::builder().status(401).body(Body::from("Unauthorized")).unwrap()).await;
    let target = format!("{}/acme/gated/resolve/main/{FILE}", other.endpoint);
    sandbox.hub.fault(HubFault::RedirectTo(target), When::file(FILE).at(HubOrigin::Hub));
    let mut command = sandbox.syncing("acme/gated", &[]);
    command.env("HF_TOKEN", TOKEN);
    let ended = run(command).await;
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let said = format!(
        "its token was left behind; if that is the Hub that you mean, set HF_ENDPOINT={}",
        other.endpoint
    );
    assert!(ended.stderr.contains("401 Unauthorized") && ended.stderr.contains(&said), "{}", ended.stderr);
    assert!(other.asked().iter().all(|(_, credential)| credential.is_none()));
}

async fn sandbox(place: DestinationKind) -> Sandbox {
    let sandbox = Sandbox::start(place, HFDOWN).await.expect("neither place needs anything");
    publish(&sandbox);
    sandbox
}

const FEW: usize = 3 * 4;

async fn a_page_in_the_place_of_a_file_is_one(place: DestinationKind) {
    let sandbox = sandbox(place).await;
    let cdn = When::file(FILE).at(HubOrigin::Cdn);
    let armed = sandbox.hub.fault(html(200, PAGE), cdn);
    let ended = sandbox.sync(MODEL, &["--first-wait", "1"]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let said =
        format!("sends {} bytes of text/html where the Hub lists {SIZE} bytes{IN_BETWEEN}", PAGE.len());
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    assert!((1..=FEW).contains(&armed.times_struck()), "{}", armed.times_struck());
    // A file that is a page arrives.
    assert_eq!(sandbox.read("README.html").as_deref(), Some(PAGE.as_bytes()));
    assert_eq!(sandbox.files(), ["README.html", "config.json"]);
    armed.lift();

    for status in [511, 407] {
        let armed = sandbox.hub.fault(html(status, PAGE), When::file(FILE).at(HubOrigin::Cdn));
        let ended = sandbox.sync(MODEL, &["--first-wait", "1"]).await;
        assert_eq!(ended.code, 3, "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("answered {status}{IN_BETWEEN}")), "{}", ended.stderr);
        assert!((1..=FEW).contains(&armed.times_struck()), "{}", armed.times_struck());
        armed.lift();
    }

    // Without a length, from a portal that the address leads to.
    let portal = Stranger::start(|_| {
        let page = futures_util::stream::iter([Ok::<_, std::io::Error>(PAGE)]);
        Response::builder().header("content-type", "text/html").body(Body::from_stream(page)).unwrap()
    })
    .await;
    for name in ["config.json", FILE] {
        let target = format!("{}/login", portal.endpoint);
        let armed = sandbox.hub.fault(HubFault::RedirectTo(target), When::file(name).at(HubOrigin::Hub));
        _ = std::fs::remove_file(sandbox.root().join(name));
        let ended = sandbox.sync(MODEL, &["--first-wait", "1"]).await;
        assert_ne!(ended.code, 0);
        assert!(
            ended.stderr.contains(" bytes of text/html where the Hub lists ")
                && ended.stderr.contains(IN_BETWEEN),
            "{}",
            ended.stderr
        );
        armed.lift();
    }
    assert_eq!(sandbox.sync(MODEL, &[]).await.code, 0);
}

async fn a_new_address_that_is_refused_shows_why(place: DestinationKind) {
    let xml = |code: &str, message: &str| {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>x</RequestId></Error>"
        );
        canned(403, &[("content-type", "application/xml")], text)
    };
    for (fault, said) in [
        (HubFault::Expired, "403 AccessDenied: Access denied"),
        (
            xml("AccessDenied", "Request has expired"),
            "403 AccessDenied: Request has expired; the clock of the server that signs addresses may be wrong",
        ),
        (
            xml("AccessDenied", "Blocked by IP address policy"),
            "403 AccessDenied: Blocked by IP address policy; it may be for other networks only",
        ),
        (canned(401, &[("content-type", "text/plain")], "not from here\n"), "401 not from here"),
        (html(410, "<html><title>Gone</title>"), "410 a web page, \"Gone\""),
    ] {
        let sandbox = sandbox(place).await;
        let armed = sandbox.hub.fault(fault, When::file(FILE).at(HubOrigin::Cdn));
        let ended = sandbox.sync(MODEL, &["--verbose", "--first-wait", "1"]).await;
        assert_eq!(ended.code, 3, "{}", ended.stderr);
        let said = format!("refuses the address that the Hub has just signed: {said}");
        assert!(
            ended.stderr.contains(&said) && !ended.stderr.contains("no longer"),
            "{said}: {}",
            ended.stderr
        );
        assert!((2..=FEW).contains(&armed.times_struck()), "a new address is asked for, a few times");
    }
}

async fn a_401_with_a_token_is_about_the_token(sandbox: Sandbox) {
    let answer = |text: &'static str| {
        move |_: &str| {
            Response::builder()
                .status(401)
                .header("content-type", "application/json")
                .body(Body::from(text))
                .unwrap()
        }
    };
    let home = sandbox.scratch().join("home").join("token");
    std::fs::write(&home, "hf_fromTheFile").unwrap();
    let home_folder = sandbox.scratch().join("home").display().to_string();
    for text in [
        r#"{"error":"Invalid username or password."}"#,
        r#"{"error":"Invalid credentials in Authorization header"}"#,
        "{}",
    ] {
        let hub = Stranger::start(answer(text)).await;
        for (variables, typed, source) in [
            (&[("HF_TOKEN", "hf_old")][..], &[][..], "HF_TOKEN".to_owned()),
            (&[], &["--token", "hf_typed"], "--token".to_owned()),
            (&[("HF_HOME", &*home_folder)], &[], home.display().to_string()),
        ] {
            let mut command = sandbox.hfdown(["info", MODEL].iter().chain(typed));
            command.env("HF_ENDPOINT", &hub.endpoint).envs(variables.iter().copied());
            let ended = run(command).await;
            assert_eq!(ended.code, 4, "{}", ended.stderr);
            assert!(ended.stderr.contains(": the token may be wrong or expired\n"), "{}", ended.stderr);
            let hint = format!(
                "hint: it is the token of {source}; take one that {} knows, for `hf auth login`, HF_TOKEN or --token",
                hub.endpoint
            );
            assert!(ended.stderr.contains(&hint), "{hint}: {}", ended.stderr);
            assert!(!ended.stderr.contains("hf_"), "no token is shown: {}", ended.stderr);
        }
        // To a stranger it may as well be missing.
        let mut command = sandbox.hfdown(["info", MODEL]);
        command.env("HF_ENDPOINT", &hub.endpoint).env("HF_HOME", "/nowhere");
        let ended = run(command).await;
        let expected = if text.contains("credentials") { 4 } else { 5 };
        assert_eq!(ended.code, expected, "{}", ended.stderr);
    }
}

here! {
    what_is_no_answer_of_the_hubs_is_said_to_be_that,
    a_gateways_page_is_told_by_its_title,
    a_redirect_to_a_portal_is_not_followed,
    a_mirror_that_leads_to_another_hub_names_what_to_set,
    a_401_with_a_token_is_about_the_token,
}

here_and_on_a_box! {
    a_private_file_at_another_hub_says_so,
    a_page_in_the_place_of_a_file_is_one,
    a_new_address_that_is_refused_shows_why,
}
