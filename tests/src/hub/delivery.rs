//! From a reply to what goes over the wire: ranges, compression, and the faults that tamper with bodies.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::{BodyPlan, Interruption, ResponseBody};
use super::content::Content;
use super::fault::{FaultStep, Faults, HubFault, OddRange};
use super::log::OpenRequest;
use super::range::RequestedRange;
use super::reply::{Payload, Reply};
use super::wire::ConnectionState;

/// Answers a request with a reply.
pub(super) fn deliver(
    reply: Reply,
    faults: &Faults,
    line: Arc<ConnectionState>,
    entry: Arc<OpenRequest>,
) -> Response<ResponseBody> {
    let request = entry.request();
    let mut answer = FileResponse::new(reply, &request.headers);
    let is_head = request.method == "HEAD";
    if !is_head && answer.status.is_success() && answer.script.length() > 0 {
        faults.within(request, |fault, offer| match offer {
            FaultStep::Ask => answer.shows(fault),
            FaultStep::Apply => {
                answer.suffer(fault);
                true
            }
        });
    }
    answer.send(is_head, line, entry)
}

struct FileResponse {
    status: StatusCode,
    headers: HeaderMap,
    script: BodyPlan,
    compressed: bool,
    tells_length: bool,
}

impl FileResponse {
    fn new(reply: Reply, request: &HeaderMap) -> Self {
        let Reply { status, headers, payload } = reply;
        let (content, is_file) = match payload {
            Payload::Words(content) => (content, false),
            Payload::File(content) => (content, true),
        };
        let size = content.size();
        let script = BodyPlan::plain(content, 0..size);
        let mut answer = Self { status, headers, script, compressed: false, tells_length: true };
        if !is_file {
            return answer;
        }
        let header = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if header(ACCEPT_ENCODING.as_str()).is_some_and(|codings| codings.contains("gzip"))
            && answer.is_text()
        {
            answer.compress();
            return answer;
        }
        let etag = answer.headers.get(ETAG).and_then(|value| value.to_str().ok());
        let unchanged = header("if-range").is_none_or(|known| Some(known) == etag);
        match RequestedRange::of(header("range").filter(|_| unchanged), size) {
            RequestedRange::Whole => {}
            RequestedRange::Part(part) => {
                answer.status = StatusCode::PARTIAL_CONTENT;
                answer.set_content_range(&format!("bytes {}-{}/{size}", part.start, part.end - 1));
                answer.script.span = part;
            }
            RequestedRange::PastTheEnd => {
                answer.status = StatusCode::RANGE_NOT_SATISFIABLE;
                answer.set_content_range(&format!("bytes */{size}"));
                answer.script.span = 0..0;
            }
        }
        answer
    }

    /// Whether a fault would make a difference to this answer.
    fn shows(&self, fault: &HubFault) -> bool {
        let length = self.script.length();
        match fault {
            HubFault::CutAfter(bytes) | HubFault::ResetAfter(bytes) => *bytes < length,
            HubFault::Stall(stall) => stall.bytes() < length,
            HubFault::IgnoresRange | HubFault::WrongContentRange => {
                self.status == StatusCode::PARTIAL_CONTENT
            }
            HubFault::OddRange(OddRange::WholeAsPart) => self.status == StatusCode::OK,
            HubFault::OddRange(_) => self.status == StatusCode::PARTIAL_CONTENT,
            HubFault::ShortBody(bytes) => *bytes <= self.script.span.end - self.script.span.start,
            HubFault::WrongBytes { at } => self.script.span.contains(at),
            HubFault::TrickleFrom { at } => *at < self.script.span.end,
            HubFault::Gzipped => !self.compressed,
            HubFault::LongBody(_) | HubFault::Throttle { .. } => true,
            HubFault::Status(_)
            | HubFault::RateLimited { .. }
            | HubFault::RetryAfter { .. }
            | HubFault::Expired
            | HubFault::Answer(_)
            | HubFault::RedirectLoop
            | HubFault::RedirectTo(_)
            | HubFault::Delay(_) => false,
        }
    }

    fn suffer(&mut self, fault: &HubFault) {
        match fault {
            HubFault::CutAfter(bytes) => self.script.stops.push((*bytes, Interruption::Cut)),
            HubFault::ResetAfter(bytes) => self.script.stops.push((*bytes, Interruption::Reset)),
            HubFault::Stall(stall) => {
                self.script.stops.push((stall.bytes(), Interruption::Stall(stall.clone())));
            }
            HubFault::IgnoresRange => self.forget_range(),
            HubFault::WrongContentRange => {
                let (span, size) = (&self.script.span, self.script.content.size());
                self.set_content_range(&format!("bytes {}-{}/{size}", span.start + 1, span.end));
            }
            HubFault::OddRange(odd) => self.answer_oddly(*odd),
            HubFault::ShortBody(bytes) => self.script.span.end -= bytes,
            HubFault::LongBody(bytes) => self.script.surplus += bytes,
            HubFault::Gzipped => self.compress(),
            HubFault::WrongBytes { at } => self.script.flipped.push(*at),
            HubFault::TrickleFrom { at } => self.script.trickles_from = Some(*at),
            HubFault::Throttle { bytes_per_second } => {
                let slower = self
                    .script
                    .bytes_per_second
                    .map_or(*bytes_per_second, |rate| rate.min(*bytes_per_second));
                self.script.bytes_per_second = Some(slower.max(1));
            }
            _ => {}
        }
    }

    fn is_text(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        (kind.starts_with("text/") || kind.starts_with("application/json")) && self.script.content.size() > 0
    }

    /// As the real Hub does: no length is told, and no range is heeded.
    fn compress(&mut self) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut written = Ok(());
        self.script.content.for_each_piece(|piece| {
            if written.is_ok() {
                written = encoder.write_all(piece);
            }
        });
        let compressed = written.and_then(|()| encoder.finish()).expect("memory takes every byte");
        self.forget_range();
        self.script.content = Content::bytes(compressed);
        self.script.span = 0..self.script.content.size();
        (self.compressed, self.tells_length) = (true, false);
        self.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let weak = self
            .headers
            .get(ETAG)
            .and_then(|etag| HeaderValue::try_from(format!("W/{}", etag.to_str().ok()?)).ok());
        if let Some(weak) = weak {
            self.headers.insert(ETAG, weak);
        }
    }

    fn forget_range(&mut self) {
        self.status = StatusCode::OK;
        self.headers.remove(CONTENT_RANGE);
        self.script.span = 0..self.script.content.size();
    }

    fn answer_oddly(&mut self, odd: OddRange) {
        let span = self.script.span.clone();
        let place = |total: &str| format!("bytes {}-{}/{total}", span.start, span.end - 1);
        match odd {
            OddRange::Unplaced => drop(self.headers.remove(CONTENT_RANGE)),
            OddRange::Unreadable => self.set_content_range("bytes"),
            OddRange::PartAsTotal => self.set_content_range(&place(&(span.end - span.start).to_string())),
            OddRange::UnknownTotal => self.set_content_range(&place("*")),
            OddRange::Multipart => {
                self.headers.remove(CONTENT_RANGE);
                let kind = HeaderValue::from_static("multipart/byteranges; boundary=part");
                self.headers.insert(CONTENT_TYPE, kind);
                let mut body = format!("--part\r\nContent-Range: {}\r\n\r\n", place("*")).into_bytes();
                let part = self.script.content.read(span);
                body.extend_from_slice(&part);
                body.extend_from_slice(b"\r\n--part--\r\n");
                self.script.content = Content::bytes(body);
                self.script.span = 0..self.script.content.size();
            }
            OddRange::Chunked => {
                self.forget_range();
                self.tells_length = false;
            }
            OddRange::NotSatisfiable => {
                self.status = StatusCode::RANGE_NOT_SATISFIABLE;
                self.set_content_range(&format!("bytes */{}", self.script.content.size()));
                self.script.span = 0..0;
            }
            OddRange::WholeAsPart => self.status = StatusCode::PARTIAL_CONTENT,
        }
    }

    fn set_content_range(&mut self, value: &str) {
        let value = HeaderValue::from_str(value).expect("digits and dashes");
        self.headers.insert(CONTENT_RANGE, value);
    }

    fn send(
        mut self,
        is_head: bool,
        line: Arc<ConnectionState>,
        entry: Arc<OpenRequest>,
    ) -> Response<ResponseBody> {
        let has_body = self.status != StatusCode::NOT_MODIFIED;
        if has_body && self.tells_length {
            self.headers.insert(CONTENT_LENGTH, self.script.length().into());
        }
        let has_body = has_body && !is_head && self.script.length() > 0;
        let body = if has_body { ResponseBody::new(self.script, line, entry) } else { ResponseBody::empty() };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
