//! A report as a page: one file that needs nothing else, neither a network nor a font.
//!
//! A policy in the page allows its one style and its one script by their digests, so that no text of a box could be another.
//! Without its script the page only can't be sorted.

use std::fmt::{self, Write as _};

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use super::document::{ReportBox, ReportDocument, ReportTimeline};
use crate::board::dollars;
use crate::board::{BoxFields, GroupFields};
use crate::text::is_hidden;
use crate::text::units::{bytes, duration, rate};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A timeline's size, in units of its own: it is stretched to the width that there is.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 40.0;
/// The band of states below the curve.
const BAND: f64 = 6.0;

/// Text within a page. Nothing of it is markup, and nothing hides or turns round what stands beside it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().filter(|character| !is_hidden(*character)).try_for_each(|character| match character {
            '&' => formatter.write_str("&amp;"),
            '<' => formatter.write_str("&lt;"),
            '>' => formatter.write_str("&gt;"),
            '"' => formatter.write_str("&quot;"),
            '\'' => formatter.write_str("&#39;"),
            character => formatter.write_char(character),
        })
    }
}

/// The page.
pub(super) fn draw(report: &ReportDocument) -> String {
    let mut page = String::new();
    // A String takes whatever is written to it.
    let _ = write(&mut page, report);
    page
}

fn write(page: &mut String, report: &ReportDocument) -> fmt::Result {
    let model = report.model.as_deref().unwrap_or("hfdown");
    let source = |text: &str| BASE64.encode(&Sha256::digest(text));
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · hfdown</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        source(STYLE),
        source(SCRIPT),
        Escaped(model),
    )?;
    header(page, report, model)?;
    groups(page, &report.groups)?;
    table(page, report)?;
    write!(page, "<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn header(page: &mut String, report: &ReportDocument, model: &str) -> fmt::Result {
    let commit = report.commit.as_deref().map(|commit| format!(" @ {}", commit.get(..7).unwrap_or(commit)));
    writeln!(
        page,
        "<header><h1>{}<small>{}</small></h1><p>{} · hfdown {} · exit code {}</p></header>",
        Escaped(model),
        Escaped(&commit.unwrap_or_default()),
        report.began.replace('T', " ").replace('Z', " UTC"),
        report.hfdown,
        report.exit_code,
    )?;
    if let Some(error) = &report.error {
        writeln!(page, "<ul class=\"groups\"><li class=\"bad\">{}</li></ul>", Escaped(error))?;
    }
    let totals = &report.totals;
    let mut tiles = vec![
        ("boxes done", format!("{} of {}", totals.done, totals.boxes)),
        ("fetched", bytes(totals.fetched)),
        ("time", seconds(report.elapsed_seconds)),
    ];
    tiles.extend(totals.rate.map(|mean| ("together", rate(mean))));
    if totals.not_fetched > 0 {
        tiles.push(("not fetched again", bytes(totals.not_fetched)));
    }
    if let Some(price) = totals.dollars {
        tiles.push(("price", dollars(price)));
        tiles
            .extend(totals.dollars_saved.filter(|saved| *saved > 0.0).map(|saved| ("saved", dollars(saved))));
    }
    if let Some(unpriced) = totals.unpriced.filter(|unpriced| *unpriced > 0) {
        tiles.push((
            "of unknown price",
            if unpriced == 1 { "1 box".to_owned() } else { format!("{unpriced} boxes") },
        ));
    }
    page.push_str("<dl class=\"tiles\">");
    for (name, value) in tiles {
        write!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn groups(page: &mut String, groups: &[GroupFields]) -> fmt::Result {
    page.push_str("<ul class=\"groups\">");
    for GroupFields { text, exit_code, count, boxes, .. } in groups {
        let (class, count) = (
            if *exit_code == 0 { "good" } else { "bad" },
            if *count == 1 { "1 box".to_owned() } else { format!("{count} boxes") },
        );
        write!(
            page,
            "<li class=\"{class}\"><b>{count}</b> {} <span>{}</span></li>",
            Escaped(text),
            Escaped(boxes)
        )?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

fn table(page: &mut String, report: &ReportDocument) -> fmt::Result {
    let is_priced = report.totals.dollars.is_some();
    let size = if report.boxes.len() > 20 { "many" } else { "few" };
    let mut columns = vec!["box", "outcome", "fetched", "there already", "time", "rate", "retries"];
    if is_priced {
        columns.push("price");
    }
    write!(page, "<table class=\"{size}\"><thead><tr>")?;
    for column in columns {
        write!(page, "<th scope=\"col\" aria-sort=\"none\"><button type=\"button\">{column}</button></th>")?;
    }
    writeln!(
        page,
        "<th scope=\"col\" class=\"wide\">over {}</th></tr></thead><tbody>",
        seconds(report.elapsed_seconds)
    )?;
    for member in &report.boxes {
        row(page, member, report.elapsed_seconds, is_priced)?;
    }
    page.push_str("</tbody></table>\n<p class=\"legend\">");
    for state in [
        "waiting",
        "connecting",
        "retrying",
        "checking",
        "fetching",
        "detached",
        "done",
        "incomplete",
        "failed",
        "stopped",
    ] {
        write!(page, "<span><i class=\"{state}\"></i>{state}</span>")?;
    }
    page.push_str("<span><i class=\"mark\"></i>tried again</span></p>\n");
    Ok(())
}

fn row(page: &mut String, member: &ReportBox, elapsed: f64, is_priced: bool) -> fmt::Result {
    let ReportBox { name, fields, timeline: bytes_over_time } = member;
    let BoxFields { text, exit_code, error, fetched, kept_bytes, resumed, retries, .. } = fields;
    let taken = fields.elapsed_seconds.number();
    let class = if *exit_code == 0 { "good" } else { "bad" };
    let there = kept_bytes.saturating_add(*resumed);
    write!(
        page,
        "<tr class=\"{class}\"><th scope=\"row\" data-by=\"{}\">{}</th>",
        Escaped(name),
        Escaped(name)
    )?;
    let title = error.as_deref().unwrap_or(text);
    write!(
        page,
        "<td class=\"outcome\" data-by=\"{exit_code} {}\" title=\"{}\">{}</td>",
        Escaped(text),
        Escaped(title),
        Escaped(text)
    )?;
    let mut cell = |name: &str, by: f64, text: &str| {
        write!(page, "<td class=\"figure\" data-name=\"{name}\" data-by=\"{by}\">{text}</td>")
    };
    cell("fetched", *fetched as f64, &bytes(*fetched))?;
    cell("there already", there as f64, &if there == 0 { "–".to_owned() } else { bytes(there) })?;
    cell("time", taken, &seconds(taken))?;
    let mean = fields.rate.unwrap_or(0);
    cell("rate", mean as f64, &if mean == 0 { "–".to_owned() } else { rate(mean) })?;
    cell("retries", f64::from(*retries), &if *retries == 0 { "–".to_owned() } else { retries.to_string() })?;
    if is_priced {
        cell(
            "price",
            fields.dollars.unwrap_or(-1.0),
            &fields.dollars.map_or_else(|| "?".to_owned(), dollars),
        )?;
    }
    page.push_str("<td class=\"wide\">");
    timeline(page, bytes_over_time, name, elapsed)?;
    page.push_str("</td></tr>\n");
    Ok(())
}

/// Bytes over time as an area, states as a band below it, and a mark where something was tried again.
fn timeline(page: &mut String, timeline: &ReportTimeline, name: &str, elapsed: f64) -> fmt::Result {
    let across = |at: f64| if elapsed > 0.0 { (at / elapsed).clamp(0.0, 1.0) * WIDTH } else { 0.0 };
    let (top, bottom) = (1.0, HEIGHT - BAND - 1.0);
    let most = timeline.bytes.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0).max(timeline.of_bytes);
    let up =
        |bytes: u64| if most == 0 { bottom } else { bottom - (bottom - top) * (bytes as f64 / most as f64) };
    write!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{} over time\">",
        Escaped(name)
    )?;
    if let (Some((first, _)), Some((last, _))) = (timeline.bytes.first(), timeline.bytes.last()) {
        write!(page, "<path class=\"area\" d=\"M{:.1} {bottom:.1}", across(*first))?;
        for (at, bytes) in &timeline.bytes {
            write!(page, "L{:.1} {:.1}", across(*at), up(*bytes))?;
        }
        write!(page, "L{:.1} {bottom:.1}Z\"/>", across(*last))?;
    }
    for (place, (at, state)) in timeline.states.iter().enumerate() {
        let end = timeline.states.get(place + 1).map_or(elapsed, |(next, _)| *next);
        let (left, right) = (across(*at), across(end));
        if right > left {
            let (width, y) = (right - left, HEIGHT - BAND);
            write!(
                page,
                "<rect class=\"{state}\" x=\"{left:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAND}\"/>"
            )?;
        }
    }
    for at in &timeline.retries {
        write!(page, "<path class=\"mark\" d=\"M{:.1} {top}V{bottom}\"/>", across(*at))?;
    }
    page.push_str("</svg>");
    Ok(())
}

fn seconds(seconds: f64) -> String {
    duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
