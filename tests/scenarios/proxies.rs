//! Proxies of the environment, here and on a box: each kind carries all there is to carry, none is gone around, and one
//! that does not work is named, with its variable, and not the Hub.

use hfdown_tests::hub::{Authority, Content, Front, Gate, HubOrigin, TestHub};
use hfdown_tests::proxy::free_port;
use hfdown_tests::sandbox::{DestinationKind, Ended, Sandbox, run};
use hfdown_tests::ssh_host::HostOptions;
use hfdown_tests::web_proxy::{Carried, ProxyMethod, WebProxy, WebProxyOptions};

use crate::places::HFDOWN;
use crate::refusals::words::{assert_untouched, refused};

const MODEL: &str = "acme/proxied";
const FILE: &str = "model.safetensors";
const SIZE: u64 = 9_000_000;
const TOKEN: &str = "hf_tokenOfThisTest";

/// A sandbox in which a box, if there is one, has a variable of its own in its environment.
async fn sandbox(place: DestinationKind, there: (&str, &str)) -> Option<Sandbox> {
    let bashrc = Some(format!("export {}='{}'", there.0, there.1));
    let sandbox =
        Sandbox::start_with(place, HFDOWN, HostOptions { bashrc, ..HostOptions::default() }).await?;
    publish(&sandbox);
    Some(sandbox)
}

fn publish(sandbox: &Sandbox) {
    sandbox.hub.model(MODEL).file("config.json", "{}").lfs(FILE, Content::random(21, SIZE)).commit();
}

async fn sync(sandbox: &Sandbox, variables: &[(&str, &str)], more: &[&str]) -> Ended {
    let mut command = sandbox.syncing(MODEL, more);
    command.envs(variables.iter().copied());
    run(command).await
}

fn assert_whole(sandbox: &Sandbox, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.read(FILE).is_some_and(|bytes| bytes == Content::random(21, SIZE).to_vec()));
}

/// A host and port as one of the test Hub's origins has them.
fn place_of(origin: &str) -> String {
    origin.split_once("://").unwrap().1.to_owned()
}

/// That all of a sync went through proxies: what the controller asked through the near one, and what the agent asked
/// through the one at its side.
fn assert_carried(sandbox: &Sandbox, near: &WebProxy, there: &WebProxy, method: ProxyMethod) {
    let at_the_agent = if sandbox.host.is_some() { there } else { near };
    for proxy in [near, at_the_agent] {
        assert!(proxy.carried().iter().all(|carried| carried.method == method), "{:?}", proxy.carried());
    }
    assert!(near.bytes_from(&place_of(&sandbox.hub.endpoint())) > 100, "{:?}", near.carried());
    let (_, port) = place_of(&sandbox.hub.cdn_origin())
        .rsplit_once(':')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let from_cdn =
        |carried: &&hfdown_tests::web_proxy::Carried| carried.target.ends_with(&format!(":{port}"));
    let carried: u64 = at_the_agent.carried().iter().filter(from_cdn).map(Carried::bytes_down).sum();
    assert!(carried > SIZE, "{carried} bytes of a file of {SIZE} came through the proxy");
    let connections: std::collections::HashSet<_> =
        sandbox.hub.requests().iter().map(|seen| seen.connection).collect();
    let opened = near.carried().len() + if sandbox.host.is_some() { there.carried().len() } else { 0 };
    assert!(
        connections.len() <= opened,
        "no connection was made around them: {} of {opened}",
        connections.len()
    );
}

async fn each_kind_carries_everything(place: DestinationKind) {
    for (scheme, method, variable) in [
        ("socks5", ProxyMethod::Socks5, "ALL_PROXY"),
        ("socks5h", ProxyMethod::Socks5, "http_proxy"),
        ("SOCKS", ProxyMethod::Socks5, "all_proxy"),
        ("socks4", ProxyMethod::Socks4, "ALL_PROXY"),
        ("http", ProxyMethod::Forward, "HTTP_PROXY"),
    ] {
        let (near, there) = (
            WebProxy::start(WebProxyOptions::default()).await,
            WebProxy::start(WebProxyOptions::default()).await,
        );
        let Some(sandbox) = sandbox(place, (variable, &there.named(scheme))).await else { return };
        let ended = sync(&sandbox, &[(variable, &near.named(scheme))], &[]).await;
        assert_whole(&sandbox, &ended);
        assert_carried(&sandbox, &near, &there, method);
    }
}

/// SOCKS 4a is for names: an address goes as one.
async fn socks_4a_carries_names(place: DestinationKind) {
    let (near, there) = (
        WebProxy::start(WebProxyOptions::default()).await,
        WebProxy::start(WebProxyOptions::default()).await,
    );
    let Some(sandbox) = sandbox(place, ("ALL_PROXY", &there.named("socks4a"))).await else { return };
    let ended = sync(&sandbox, &[("ALL_PROXY", &near.named("socks4a"))], &[]).await;
    assert_whole(&sandbox, &ended);
    let proxy = if sandbox.host.is_some() { &there } else { &near };
    let of_cdn: Vec<_> =
        proxy.carried().into_iter().filter(|carried| carried.method == ProxyMethod::Socks4a).collect();
    assert!(of_cdn.iter().all(|carried| carried.target == place_of(&sandbox.hub.cdn_origin())), "{of_cdn:?}");
    assert!(of_cdn.iter().map(Carried::bytes_down).sum::<u64>() > SIZE);
}

/// A mirror in a private network, as it is seen from outside: its name is known to the proxy alone, and its files are at an
/// address that is no one else's business either.
async fn where_a_hub_leads_is_the_business_of_the_proxy(place: DestinationKind) {
    for scheme in ["socks5h", "http", "socks4a"] {
        let (near, there) = (
            WebProxy::start(WebProxyOptions::default()).await,
            WebProxy::start(WebProxyOptions::default()).await,
        );
        let Some(sandbox) = sandbox(place, ("ALL_PROXY", &there.named(scheme))).await else { return };
        let hub = place_of(&sandbox.hub.endpoint()).replace("127.0.0.1", "hub.test");
        let endpoint = format!("http://{hub}");
        let ended =
            sync(&sandbox, &[("ALL_PROXY", &near.named(scheme)), ("HF_ENDPOINT", &endpoint)], &[]).await;
        assert_whole(&sandbox, &ended);
        let at_the_agent = if sandbox.host.is_some() { &there } else { &near };
        assert!(near.bytes_from(&hub) > 100, "{:?}", near.carried());
        let from_cdn = at_the_agent.bytes_from(&place_of(&sandbox.hub.cdn_origin()));
        assert!(from_cdn > SIZE, "{from_cdn} bytes of a file of {SIZE} came through the proxy");
    }
}

async fn a_login_is_sent_where_it_is_wanted(place: DestinationKind) {
    let options = WebProxyOptions { login: Some(("ann", "p@ss:w/rd")), refuses: None };
    let login = "ann:p%40ss%3Aw%2Frd";
    for (scheme, method) in [("socks5h", ProxyMethod::Socks5), ("http", ProxyMethod::Forward)] {
        let (near, there) = (WebProxy::start(options).await, WebProxy::start(options).await);
        let Some(sandbox) = sandbox(place, ("ALL_PROXY", &there.named_with(scheme, login))).await else {
            return;
        };
        let ended = sync(&sandbox, &[("ALL_PROXY", &near.named_with(scheme, login))], &["--verbose"]).await;
        assert_whole(&sandbox, &ended);
        assert_carried(&sandbox, &near, &there, method);
        assert!(!ended.stderr.contains("p@ss") && !ended.stderr.contains("p%40ss"), "{}", ended.stderr);
    }
}

/// Some know of no logins, and are asked without one then.
async fn a_login_that_is_not_wanted_does_no_harm(place: DestinationKind) {
    let (near, there) = (
        WebProxy::start(WebProxyOptions::default()).await,
        WebProxy::start(WebProxyOptions::default()).await,
    );
    let Some(sandbox) = sandbox(place, ("ALL_PROXY", &there.named_with("socks5h", "ann:word"))).await else {
        return;
    };
    let ended =
        sync(&sandbox, &[("ALL_PROXY", &near.named_with("socks5h", "ann:word"))], &["--first-wait", "10"])
            .await;
    assert_whole(&sandbox, &ended);
}

/// An authority, and fronts for the Hub, the CDN and a proxy.
struct EncryptedWorld {
    certificate: String,
    proxy: Front,
    sandbox: Sandbox,
    _fronts: [Front; 2],
    _folder: tempfile::TempDir,
}

impl EncryptedWorld {
    /// Everything is encrypted, and the box trusts the authority and asks through this proxy.
    async fn new(place: DestinationKind, variable: &str, there: impl Fn(u16) -> String) -> Option<Self> {
        let authority = Authority::new();
        let folder = tempfile::TempDir::new().unwrap();
        let certificate = folder.path().join("authority.pem").display().to_string();
        std::fs::write(&certificate, authority.pem()).unwrap();
        let fronts = [Front::open(&authority).await, Front::open(&authority).await];
        let proxy = Front::open(&authority).await;
        let bashrc =
            Some(format!("export SSL_CERT_FILE='{certificate}' {variable}='{}'", there(proxy.port())));
        let mut sandbox =
            Sandbox::start_with(place, HFDOWN, HostOptions { bashrc, ..HostOptions::default() }).await?;
        sandbox.hub = TestHub::start_behind(Some(&fronts[0]), Some(&fronts[1]));
        publish(&sandbox);
        Some(Self { certificate, proxy, sandbox, _fronts: fronts, _folder: folder })
    }
}

async fn what_is_encrypted_stays_so(place: DestinationKind) {
    for (scheme, method) in [("http", ProxyMethod::Connect), ("socks5", ProxyMethod::Socks5)] {
        let (near, there) = (
            WebProxy::start(WebProxyOptions::default()).await,
            WebProxy::start(WebProxyOptions::default()).await,
        );
        let named = there.named(scheme);
        let Some(world) = EncryptedWorld::new(place, "HTTPS_PROXY", |_| named.clone()).await else { return };
        let variables = [("HTTPS_PROXY", &*near.named(scheme)), ("SSL_CERT_FILE", &world.certificate)];
        let ended = sync(&world.sandbox, &variables, &[]).await;
        assert_whole(&world.sandbox, &ended);
        assert_carried(&world.sandbox, &near, &there, method);
    }
}

async fn a_proxy_is_spoken_to_with_tls_where_its_name_says_so(place: DestinationKind) {
    let proxy = WebProxy::start(WebProxyOptions { login: Some(("ann", "word")), refuses: None }).await;
    let named = |login: &str, port: u16| format!("https://{login}@localhost:{port}");
    let Some(world) = EncryptedWorld::new(place, "https_proxy", |port| named("ann:word", port)).await else {
        return;
    };
    world.proxy.lead_to(proxy.port());
    let port = world.proxy.port();
    let right = named("ann:word", port);
    let ended =
        sync(&world.sandbox, &[("https_proxy", &*right), ("SSL_CERT_FILE", &world.certificate)], &[]).await;
    assert_whole(&world.sandbox, &ended);
    assert_carried(&world.sandbox, &proxy, &proxy, ProxyMethod::Connect);

    let wrong = named("ann:wrong", port);
    let ended =
        sync(&world.sandbox, &[("https_proxy", &*wrong), ("SSL_CERT_FILE", &world.certificate)], &[]).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let words =
        format!("the proxy localhost:{port} (https_proxy) does not accept the user name and the password");
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
}

async fn one_that_cannot_be_understood_is_refused_before_anything_is_sent(sandbox: Sandbox) {
    publish(&sandbox);
    let shown = "let it be like http://HOST:PORT or socks5h://HOST:PORT, or unset it; NO_PROXY lists hosts that are asked without a proxy";
    for (variable, value, said) in [
        (
            "HTTPS_PROXY",
            "ftp://proxy:21",
            "HTTPS_PROXY is `ftp://proxy:21`: `ftp` is no kind of proxy that can be used; http, https, socks4, socks4a, socks5 and socks5h are",
        ),
        ("http_proxy", "proxy:port", "http_proxy is `proxy:port`: its port is no number from 1 to 65535"),
        ("ALL_PROXY", "socks5://ann:secret@", "ALL_PROXY is `socks5://***@`: it names no host"),
        (
            "all_proxy",
            "socks4://ann@proxy",
            "all_proxy is `socks4://***@proxy`: SOCKS 4 knows no login; socks5:// and socks5h:// do",
        ),
        (
            "HTTP_PROXY",
            "socks6://proxy:1",
            "HTTP_PROXY is `socks6://proxy:1`: `socks6` is no kind of proxy that can be used; http, https, socks4, socks4a, socks5 and socks5h are",
        ),
    ] {
        let verbs: [&[&str]; 4] = [
            &["info", MODEL],
            &["file", MODEL, "config.json"],
            &["rsync-sync", MODEL, "models"],
            &["rsync-sync", MODEL, "models", "--dry-run"],
        ];
        for words in verbs {
            let refusal = refused(&sandbox, words, &[(variable, value)], 2).await;
            assert_eq!(refusal, format!("error: cannot use the proxy\ncaused by: {said}\n\nhint: {shown}"));
        }
    }
    assert_untouched(&sandbox);
    assert_eq!(sandbox.hub.requests().len(), 0, "nothing was sent");
    // What is not used is not looked at.
    let good = WebProxy::start(WebProxyOptions::default()).await;
    let ended = sync(
        &sandbox,
        &[
            ("http_proxy", &*good.named("http")),
            ("https_proxy", &*good.named("socks")),
            ("ALL_PROXY", "ftp://x"),
        ],
        &[],
    )
    .await;
    assert_whole(&sandbox, &ended);
    let ended = sync(&sandbox, &[("ALL_PROXY", "ftp://x"), ("NO_PROXY", "*")], &[]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

async fn nor_is_one_of_the_box_gone_around(place: DestinationKind) {
    let Some(sandbox) = sandbox(place, ("http_proxy", "htpp://ann:secret@proxy:3128")).await else { return };
    let ended = sync(&sandbox, &[], &[]).await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    let words = "http_proxy of the box is `htpp://***@proxy:3128`: `htpp` is no kind of proxy";
    assert!(
        ended.stderr.contains(words) && ended.stderr.contains("hint: let it be like http://HOST:PORT"),
        "{}",
        ended.stderr
    );
    let asked = sandbox.hub.requests_for(FILE);
    assert!(asked.is_empty(), "the box asked for nothing: {asked:?}");
}

async fn a_login_that_is_wanted_is_named(sandbox: Sandbox) {
    publish(&sandbox);
    let proxy = WebProxy::start(WebProxyOptions { login: Some(("ann", "word")), refuses: None }).await;
    let place = format!("127.0.0.1:{}", proxy.port());
    for (scheme, login, what, hint) in [
        ("http", "", "wants a login (Basic realm=\"acme\")", format!("write its user name and password into ALL_PROXY: http://USER:PASSWORD@{place}")),
        ("http", "ann:secret@", "does not accept the user name and the password that it got (Basic realm=\"acme\")", "check the user name and the password in ALL_PROXY; characters like @ : / are written as %40 %3A %2F".to_owned()),
        ("socks5h", "", "wants a login (a user name and a password)", format!("write its user name and password into ALL_PROXY: socks5h://USER:PASSWORD@{place}")),
        ("socks5", "ann:secret@", "does not accept the user name and the password that it got (a user name and a password)", "check the user name and the password in ALL_PROXY; characters like @ : / are written as %40 %3A %2F".to_owned()),
    ] {
        let named = format!("{scheme}://{login}{place}");
        let before = proxy.asked();
        let refusal = refused(&sandbox, &["info", MODEL], &[("ALL_PROXY", &named)], 6).await;
        let asked = format!("HUB/api/models/{MODEL}/revision/main");
        assert_eq!(
            refusal,
            format!("error: cannot list {MODEL} at main\ncaused by: {asked} was not reached: the proxy {place} (ALL_PROXY) {what}\n\nhint: {hint}")
        );
        // Two runs, each of which asks and looks once more.
        assert!(proxy.asked() - before <= 4, "it is not asked again and again");
    }
    assert_eq!(sandbox.hub.requests().len(), 0);
}

async fn what_is_no_working_proxy_is_named(sandbox: Sandbox) {
    publish(&sandbox);
    let (closed, policy) =
        (free_port(), WebProxy::start(WebProxyOptions { login: None, refuses: Some(2) }).await);
    let hub = place_of(&sandbox.hub.endpoint());
    for (value, what) in [
        (format!("socks5://127.0.0.1:{closed}"), "cannot be connected to: connection refused".to_owned()),
        (format!("http://127.0.0.1:{closed}"), "cannot be connected to: connection refused".to_owned()),
        ("socks5h://no-such-proxy.invalid:1080".to_owned(), "has a name that cannot be resolved".to_owned()),
        (format!("socks5h://{hub}"), "does not answer as a proxy of SOCKS 5 does".to_owned()),
        (format!("socks4://{hub}"), "does not answer as a proxy of SOCKS 4 does".to_owned()),
        (policy.named("socks5h"), format!("does not connect to {hub}: 2 its rules do not allow it")),
    ] {
        let mut command = sandbox.hfdown(["info", MODEL]);
        command.env("all_proxy", &value);
        let ended = run(command).await;
        assert_eq!(ended.code, 6, "{value}: {}", ended.stderr);
        let place = value.split_once("://").unwrap().1;
        assert!(
            ended.stderr.contains(&format!("the proxy {place} (all_proxy) {what}")),
            "{value}: {}",
            ended.stderr
        );
        let hint = ended.stderr.rsplit_once("hint: ").unwrap().1;
        assert!(
            !hint.contains("HF_ENDPOINT") && hint.contains("all_proxy") || hint.contains("NO_PROXY"),
            "{hint}"
        );
    }
}

/// As `ssh -D` does.
async fn one_that_hangs_up_on_what_it_cannot_reach_says_what_that_is(sandbox: Sandbox) {
    let (proxy, target) =
        (WebProxy::start(WebProxyOptions::default()).await, format!("127.0.0.1:{}", free_port()));
    for scheme in ["socks5h", "socks4"] {
        let mut command = sandbox.hfdown(["info", MODEL]);
        command.env("all_proxy", proxy.named(scheme)).env("HF_ENDPOINT", format!("http://{target}"));
        let ended = run(command).await;
        assert_eq!(ended.code, 6, "{}", ended.stderr);
        let words = format!("(all_proxy) closes the connection when it is asked for {target}");
        let hint = format!(
            "hint: check that {target} is there and can be reached from the proxy; NO_PROXY lists hosts that are asked without it"
        );
        assert!(ended.stderr.contains(&words) && ended.stderr.contains(&hint), "{}", ended.stderr);
    }
}

async fn a_dead_one_beside_the_agent_is_named(place: DestinationKind) {
    let wants = WebProxy::start(WebProxyOptions { login: Some(("ann", "word")), refuses: None }).await;
    let closed = format!("socks5h://127.0.0.1:{}", free_port());
    for (value, what) in [
        (closed, "cannot be connected to: connection refused; check the proxy that ALL_PROXY"),
        (
            wants.named("http"),
            "wants a login (Basic realm=\"acme\"); write its user name and password into ALL_PROXY",
        ),
    ] {
        let Some(sandbox) = sandbox(place, ("ALL_PROXY", &value)).await else { return };
        // The Hub is asked without it, and files are not.
        let exempt = place_of(&sandbox.hub.endpoint());
        let near: &[(&str, &str)] = match sandbox.host {
            None => &[("ALL_PROXY", &value), ("NO_PROXY", &exempt)],
            Some(_) => &[],
        };
        let ended = sync(&sandbox, near, &["--first-wait", "1"]).await;
        assert!([3, 6].contains(&ended.code), "{}", ended.stderr);
        let owner = if sandbox.host.is_some() { " of the box" } else { "" };
        let place = value.split_once("://").unwrap().1;
        let words = format!("the proxy {place} (ALL_PROXY{owner}) {what}");
        assert!(ended.stderr.contains(&words), "{words}: {}", ended.stderr);
        assert!(!sandbox.files().contains(&FILE.to_owned()));
        assert_eq!(sandbox.hub.bytes_sent(HubOrigin::Cdn), 0, "it was not gone around");
    }
}

/// Loopback is no exception, unless it is listed as one.
async fn a_hub_on_this_machine_is_asked_through_it_as_well(sandbox: Sandbox) {
    sandbox.hub.model("acme/gated").file("config.json", "{}").gated(Gate::Auto, TOKEN).commit();
    let proxy = WebProxy::start(WebProxyOptions::default()).await;
    let ask = async |variables: &[(&str, &str)]| {
        let mut command = sandbox.hfdown(["file", "acme/gated", "config.json", "fetched.json"]);
        command.env("HF_TOKEN", TOKEN).envs(variables.iter().copied());
        run(command).await
    };
    // The token stays on this machine, with a proxy that is on it too.
    let named = proxy.named("http");
    let ended = ask(&[("http_proxy", &named)]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!proxy.carried().is_empty());
    // It does not go to one that is elsewhere, and that is said.
    sandbox.hub.forget_requests();
    let ended = ask(&[("http_proxy", "http://proxy.invalid:3128")]).await;
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let words = "the token is not sent: HUB is not encrypted, and the proxy proxy.invalid:3128 (http_proxy) is not on this machine";
    assert!(ended.stderr.replace(&sandbox.hub.endpoint(), "HUB").contains(words), "{}", ended.stderr);
    assert_eq!(sandbox.hub.requests().len(), 0);
    // What is exempt is asked without it.
    let ended =
        ask(&[("http_proxy", "http://proxy.invalid:3128"), ("no_proxy", "localhost,127.0.0.0/8")]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

everywhere! {
    each_kind_carries_everything,
}

here_and_on_a_box! {
    socks_4a_carries_names,
    where_a_hub_leads_is_the_business_of_the_proxy,
    a_login_is_sent_where_it_is_wanted,
    a_login_that_is_not_wanted_does_no_harm,
    what_is_encrypted_stays_so,
    a_proxy_is_spoken_to_with_tls_where_its_name_says_so,
    a_dead_one_beside_the_agent_is_named,
}

on_boxes! {
    nor_is_one_of_the_box_gone_around,
}

here! {
    one_that_cannot_be_understood_is_refused_before_anything_is_sent,
    a_login_that_is_wanted_is_named,
    what_is_no_working_proxy_is_named,
    one_that_hangs_up_on_what_it_cannot_reach_says_what_that_is,
    a_hub_on_this_machine_is_asked_through_it_as_well,
}
