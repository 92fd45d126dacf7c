//! What `vastai show instances --raw` prints: a list of instances, pages of one (`{"instances": […]}`), or one instance.
//!
//! Which of them run, and how they are reached, as `vastai ssh-url` has it: the port that the host maps to the instance's 22
//! where there is one, Vast's proxy otherwise, whose port is one more for images with Jupyter. All of it is the text of
//! others: what is no address, port or price is not there, and names are made fit for a terminal.

use std::collections::BTreeMap;

use serde_json::Value;

use super::MOST_TARGETS;
use super::target::Price;
use crate::text::sanitize;
use crate::text::units::count;

/// The most bytes of such a text. An instance has some four thousand.
pub const LARGEST_INSTANCES: u64 = 4_000 * MOST_TARGETS as u64;

/// The most characters of what others call an instance.
const LONGEST_NAME: usize = 60;
/// The most characters of what else is shown of such a text.
const LONGEST_TEXT: usize = 200;
/// The most kinds of instances that are passed over and told apart.
const MOST_KINDS: usize = 10;

/// Instances that run, and what there is beside them.
#[derive(Debug, Default, PartialEq)]
pub struct VastInstances {
    /// The ones that run and can be reached.
    pub running: Vec<VastInstance>,
    /// The others: how many there are, by what they are.
    passed_over: BTreeMap<String, usize>,
    /// Whether the last page names a further one.
    pub is_cut_off: bool,
}

/// An instance that runs.
#[derive(Debug, PartialEq)]
pub struct VastInstance {
    /// What it is called: its label, and its number where others have the same label or there is none.
    pub name: String,
    /// The SSH command that leads there.
    pub ssh: String,
    /// What its traffic costs, if that is said.
    pub price: Option<Price>,
}

/// Why a text is no list of instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VastError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is the table for people.
    #[error("it is the table for people, not JSON")]
    Table,
    /// It is a page of the web.
    #[error("it is a web page, not JSON")]
    WebPage,
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(String),
    /// It is what the API of Vast says when it refuses.
    #[error("it is an error of Vast's API: {0}")]
    Refused(String),
    /// It is something else.
    #[error("it is JSON of another kind: {0}")]
    Else(String),
    /// It is more than a fleet may have.
    #[error("it has more than {MOST_TARGETS} instances")]
    TooMany,
}

impl VastInstances {
    /// Reads such a text, or several of them one after the other.
    pub fn read(bytes: &[u8]) -> Result<Self, VastError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        match bytes {
            [] => return Err(VastError::Empty),
            [b'<', ..] => return Err(VastError::WebPage),
            [b'I', b'D', b' ' | b'\t', ..] => return Err(VastError::Table),
            _ => {}
        }
        let mut found = FoundInstances::default();
        for page in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
            let page = page.map_err(|error| VastError::NoJson(sanitize(error.to_string(), LONGEST_TEXT)))?;
            found.page(page)?;
        }
        Ok(found.named())
    }

    /// What was passed over, and why; nothing where all instances run.
    pub fn passed_over(&self) -> Option<String> {
        if self.passed_over.is_empty() {
            return None;
        }
        let of_kind = |(kind, number): (&String, &usize)| format!("{} {kind}", count(*number, "instance"));
        Some(self.passed_over.iter().map(of_kind).collect::<Vec<_>>().join(", "))
    }
}

/// What has been found so far: an instance with its label and its number.
#[derive(Default)]
struct FoundInstances {
    running: Vec<(String, String, VastInstance)>,
    passed_over: BTreeMap<String, usize>,
    next_page: Option<Value>,
    seen: usize,
}

impl FoundInstances {
    fn page(&mut self, page: Value) -> Result<(), VastError> {
        match page {
            Value::Array(instances) => self.instances(instances),
            Value::Object(mut page) => match page.remove("instances") {
                Some(Value::Array(instances)) => {
                    self.next_page = page.remove("next_token").filter(|token| !is_nothing(token));
                    self.instances(instances)
                }
                Some(one @ Value::Object(_)) => self.instances(vec![one]),
                Some(_) => Err(VastError::Else("its `instances` are no list".to_owned())),
                None if page.contains_key("actual_status") => self.instances(vec![Value::Object(page)]),
                None => Err(refusal(&page)),
            },
            other => Err(VastError::Else(kind(&other).to_owned())),
        }
    }

    fn instances(&mut self, instances: Vec<Value>) -> Result<(), VastError> {
        for instance in instances {
            let Value::Object(instance) = instance else {
                return Err(VastError::Else(format!("a list with {} in it", kind(&instance))));
            };
            // A list of pages, as `jq -s` makes one of several.
            if let Some(Value::Array(_)) = instance.get("instances") {
                self.page(Value::Object(instance))?;
                continue;
            }
            if !instance.contains_key("actual_status") && !instance.contains_key("ssh_host") {
                return Err(VastError::Else("a list of other things than instances".to_owned()));
            }
            self.seen += 1;
            if self.seen > MOST_TARGETS {
                return Err(VastError::TooMany);
            }
            self.instance(&Instance(&instance));
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance<'_>) {
        let status = match instance.text("actual_status") {
            Some(status) if !status.is_empty() => status,
            _ => "without a status yet".to_owned(),
        };
        let kind = match (status.as_str(), instance.ssh()) {
            ("running", Some(ssh)) => {
                let (label, id) =
                    (instance.text("label").unwrap_or_default(), instance.text("id").unwrap_or_default());
                let price = instance.price();
                self.running.push((label, id, VastInstance { name: String::new(), ssh, price }));
                return;
            }
            ("running", None) => "without an SSH address".to_owned(),
            _ => status,
        };
        let kind = if self.passed_over.len() < MOST_KINDS { kind } else { "in another state".to_owned() };
        *self.passed_over.entry(kind).or_default() += 1;
    }

    /// Labels that two have are told apart by the numbers.
    fn named(self) -> VastInstances {
        let mut labels: BTreeMap<String, usize> = BTreeMap::new();
        for (label, ..) in &self.running {
            *labels.entry(label.clone()).or_default() += 1;
        }
        let name = |(label, id, instance): (String, String, VastInstance)| {
            let is_alone = labels.get(&label) == Some(&1);
            let name = match (label.is_empty(), id.is_empty()) {
                (false, _) if is_alone => label,
                (false, false) => format!("{label}-{id}"),
                (false, true) => label,
                (true, _) => id,
            };
            VastInstance { name, ..instance }
        };
        VastInstances {
            running: self.running.into_iter().map(name).collect(),
            passed_over: self.passed_over,
            is_cut_off: self.next_page.is_some(),
        }
    }
}

/// One instance, as it is described.
struct Instance<'a>(&'a serde_json::Map<String, Value>);

impl Instance<'_> {
    /// A text, or a number as one, fit to be shown.
    fn text(&self, key: &str) -> Option<String> {
        text(self.0.get(key)?).map(|text| sanitize(text, LONGEST_NAME))
    }

    fn ssh(&self) -> Option<String> {
        let direct = || {
            let address = self.address("public_ipaddr")?;
            let mappings = self.0.get("ports")?.get("22/tcp")?.as_array()?;
            let port = mappings.iter().find_map(|mapping| port(mapping.get("HostPort")?))?;
            Some((address, port))
        };
        let proxy = || {
            let has_jupyter = self.text("image_runtype").is_some_and(|kind| kind.contains("jupyter"));
            let port = port(self.0.get("ssh_port")?)?;
            Some((self.address("ssh_host")?, if has_jupyter { port.checked_add(1)? } else { port }))
        };
        let (host, port) = direct().or_else(proxy)?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Some(format!("ssh://root@{host}:{port}"))
    }

    /// The name or address of a machine, and nothing that a command line could take for something else.
    fn address(&self, key: &str) -> Option<String> {
        let host = self.0.get(key)?.as_str()?.trim();
        let is_name = host.starts_with(|first: char| first.is_ascii_alphanumeric())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        let is_address = host.parse::<std::net::IpAddr>().is_ok();
        (host.len() <= 253 && (is_name || is_address)).then(|| host.to_owned())
    }

    /// `inet_down_cost` is in dollars per gigabyte.
    fn price(&self) -> Option<Price> {
        let cost = self.0.get("inet_down_cost")?;
        let dollars = cost.as_f64().or_else(|| cost.as_str()?.trim().parse().ok())?;
        let is_price = dollars.is_finite() && (0.0..1e6).contains(&dollars);
        is_price.then_some(Price { dollars_per_tb: dollars * 1_000.0 })
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn port(value: &Value) -> Option<u16> {
    text(value)?.trim().parse().ok().filter(|port| *port != 0)
}

fn is_nothing(token: &Value) -> bool {
    matches!(token, Value::Null | Value::Bool(false)) || token.as_str() == Some("")
}

/// An object that has no instances.
fn refusal(page: &serde_json::Map<String, Value>) -> VastError {
    let says = |key: &str| page.get(key).and_then(text).map(|text| sanitize(text, LONGEST_TEXT));
    let said = says("msg").or_else(|| says("message")).or_else(|| says("error")).or_else(|| says("detail"));
    if let Some(said) = said {
        return VastError::Refused(said);
    }
    let keys: Vec<String> = page.keys().take(3).map(|key| sanitize(key, LONGEST_NAME)).collect();
    let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
    VastError::Else(format!("an object of {keys}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match VastInstances::read(text.as_bytes()) {
            Err(error) => format!("! {error}"),
            Ok(found) => {
                let mut shown: Vec<String> = found
                    .running
                    .iter()
                    .map(|VastInstance { name, ssh, price }| {
                        let price =
                            price.map(|price| format!(" {}$", price.dollars_per_tb)).unwrap_or_default();
                        format!("{name} = {ssh}{price}")
                    })
                    .collect();
                shown.extend(found.passed_over().map(|others| format!("({others})")));
                shown.extend(found.is_cut_off.then(|| "…".to_owned()));
                shown.join(" | ")
            }
        }
    }

    fn running(more: &str) -> String {
        format!(
            r#"{{"id": 7, "actual_status": "running", "ssh_host": "ssh5.vast.ai", "ssh_port": 10600{more}}}"#
        )
    }

    #[test]
    fn an_instance_is_reached_as_vastai_ssh_url_says() {
        for (more, expected) in [
            ("", "7 = ssh://root@ssh5.vast.ai:10600"),
            (r#", "label": "trainer""#, "trainer = ssh://root@ssh5.vast.ai:10600"),
            (r#", "label": null, "public_ipaddr": null, "ports": null"#, "7 = ssh://root@ssh5.vast.ai:10600"),
            (
                r#", "public_ipaddr": " 1.2.3.4\n", "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "41234"}]}"#,
                "7 = ssh://root@1.2.3.4:41234",
            ),
            (
                r#", "public_ipaddr": "1.2.3.4", "ports": {"22/tcp": [{"HostPort": 41234}]}"#,
                "7 = ssh://root@1.2.3.4:41234",
            ),
            (r#", "public_ipaddr": "1.2.3.4", "ports": {"22/tcp": []}"#, "7 = ssh://root@ssh5.vast.ai:10600"),
            (
                r#", "public_ipaddr": "1.2.3.4", "ports": {"8080/tcp": [{"HostPort": "1"}]}"#,
                "7 = ssh://root@ssh5.vast.ai:10600",
            ),
            (r#", "ports": {"22/tcp": [{"HostPort": "41234"}]}"#, "7 = ssh://root@ssh5.vast.ai:10600"),
            (
                r#", "public_ipaddr": "2001:db8::1", "ports": {"22/tcp": [{"HostPort": "41234"}]}"#,
                "7 = ssh://root@[2001:db8::1]:41234",
            ),
            (
                r#", "image_runtype": "jupyter_direc ssh_direc ssh_proxy""#,
                "7 = ssh://root@ssh5.vast.ai:10601",
            ),
            (
                r#", "image_runtype": "jupyter", "public_ipaddr": "1.2.3.4", "ports": {"22/tcp": [{"HostPort": "5"}]}"#,
                "7 = ssh://root@1.2.3.4:5",
            ),
            (r#", "inet_down_cost": 0.004"#, "7 = ssh://root@ssh5.vast.ai:10600 4$"),
            (r#", "inet_down_cost": "0.02""#, "7 = ssh://root@ssh5.vast.ai:10600 20$"),
            (r#", "inet_down_cost": null"#, "7 = ssh://root@ssh5.vast.ai:10600"),
            (r#", "inet_down_cost": -1"#, "7 = ssh://root@ssh5.vast.ai:10600"),
            (r#", "label": "a\u001b[2J\u202eb""#, "a[2Jb = ssh://root@ssh5.vast.ai:10600"),
            (
                r#", "public_ipaddr": "-oProxyCommand=id", "ports": {"22/tcp": [{"HostPort": "5"}]}"#,
                "7 = ssh://root@ssh5.vast.ai:10600",
            ),
            (
                r#", "public_ipaddr": "1.2.3.4 -oProxyCommand=id", "ports": {"22/tcp": [{"HostPort": "5"}]}"#,
                "7 = ssh://root@ssh5.vast.ai:10600",
            ),
        ] {
            let instance = running(more);
            for text in [
                format!("[{instance}]"),
                format!("{{\"success\": true, \"instances\": [{instance}], \"next_token\": null}}"),
                format!("\u{feff}{{\"instances\": {instance}}}"),
                instance,
            ] {
                assert_eq!(shown(&text), expected, "{text}");
            }
        }
    }

    #[test]
    fn what_does_not_run_is_counted_and_pages_are_put_together() {
        let other = |status: &str| {
            format!(r#"{{"id": 1, "actual_status": {status}, "ssh_host": "h", "ssh_port": 1}}"#)
        };
        let (a, b) = (running(r#", "label": "x""#), running(r#", "label": "x", "id": 8"#));
        let stopped = [other("\"exited\""), other("\"exited\""), other("null"), other("\"\\u001bloading\"")];
        let text = format!("[{a}, {}]\n{{\"instances\": [{b}], \"next_token\": \"t\"}}", stopped.join(","));
        let expected = "x-7 = ssh://root@ssh5.vast.ai:10600 | x-8 = ssh://root@ssh5.vast.ai:10600 | (2 instances exited, \
                        1 instance loading, 1 instance without a status yet) | …";
        assert_eq!(shown(&text), expected);
        let unreachable = r#"[{"id": 7, "actual_status": "running", "ssh_host": "-x", "ssh_port": 22},
            {"id": 8, "actual_status": "running", "ssh_host": "h", "ssh_port": 70000},
            {"id": 9, "actual_status": "running", "ssh_host": "h", "ssh_port": 65535, "image_runtype": "jupyter"}]"#;
        assert_eq!(shown(unreachable), "(3 instances without an SSH address)");
        assert_eq!(shown("[]"), "");
    }

    #[test]
    fn what_is_something_else_is_told() {
        for (text, expected) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("<html>", "it is a web page, not JSON"),
            ("ID        Machine  Status\n1", "it is the table for people, not JSON"),
            ("failed with error 401", "it is no JSON: expected ident at line 1 column 3"),
            ("[{]", "it is no JSON: key must be a string at line 1 column 3"),
            (
                r#"{"success": false, "error": "auth_error", "msg": "Invalid \u001buser key"}"#,
                "it is an error of Vast's API: Invalid user key",
            ),
            (r#"{"error": "auth_error"}"#, "it is an error of Vast's API: auth_error"),
            (r#"{"offers": []}"#, "it is JSON of another kind: an object of offers"),
            (r#"{"instances": 5}"#, "it is JSON of another kind: its `instances` are no list"),
            ("[1]", "it is JSON of another kind: a list with a number in it"),
            (
                r#"[{"id": 1, "gpu_name": "x"}]"#,
                "it is JSON of another kind: a list of other things than instances",
            ),
            ("\"x\"", "it is JSON of another kind: a text"),
        ] {
            assert_eq!(shown(text), format!("! {expected}"), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(shown(&deep).contains("recursion limit"), "{}", shown(&deep));
    }
}
