//! Answers to `NeedSource`: what the Hub says of a file, handed down to the agent as far as it may know.

use std::ops::Range;
use std::sync::Arc;

use hfdown_protocol::{AskedFor, Digest, Failure, FailureKind, FileId, Order, XetHash, limits};

use super::answer_ways::AnswerWays;
use super::public_files::PublicFiles;
use super::shared_answers::{AnswerNumber, HubAnswer};
use super::sources::{Relaying, Sources};
use crate::hub::{HubError, ListedFile, Resolved, SMALL};

/// The largest file that is read here as a whole where it can be passed on bit by bit as well: what fits one frame.
const WHOLE: u64 = limits::INLINE as u64;

/// The source of one file, as an agent asks for it.
pub(super) struct AskedSource {
    pub(super) id: FileId,
    pub(super) file: ListedFile,
    /// The answer that it was given before.
    pub(super) had: Option<AnswerNumber>,
}

/// Why a question has no answer.
enum NoSource {
    /// The Hub said so.
    Refused(Arc<HubError>),
    /// Only this machine may read it, and it is not passed on.
    Withheld,
    /// The conversation is over.
    Over,
}

impl Sources {
    /// Asks the Hub, with the token if there is one, and hands down what the agent may know: a signed address, or the bytes
    /// themselves, which wait behind other orders. `had` is the answer that the agent was given before and asks again after.
    pub(super) async fn answer(
        self,
        asked: AskedSource,
        kind: AskedFor,
        xet: Option<XetHash>,
        ways: AnswerWays,
    ) -> (FileId, Option<AnswerNumber>) {
        let id = asked.id;
        if let AskedFor::Terms { missing } = kind {
            let file = xet.map(|hash| (hash, asked.file.size)).or_else(|| self.listed_in_xet(&asked.file));
            self.answer_terms(id, file, &missing, &ways).await;
            return (id, None);
        }
        // An agent that finds public files by itself asks only when it was refused one.
        if self.public == PublicFiles::FoundThere {
            self.shared.wants_token();
        }
        match self.give(asked, &ways).await {
            Ok(number) => (id, number),
            Err(failure) => {
                // Without room for it the conversation is over, and so is the need for an answer.
                let _ = ways.orders.send(Order::SourceUnavailable { file: id, failure }).await;
                (id, None)
            }
        }
    }

    /// What the Xet store calls a file of a plan that was heard from an agent, and its size.
    fn listed_in_xet(&self, file: &ListedFile) -> Option<(XetHash, u64)> {
        let listed = self.listed.as_ref()?;
        let (row, known) = listed.files.find(file.path.as_str())?;
        Some((listed.details.xet_hash(row.0)?, known.size))
    }

    /// Gives an agent that is to be left alone all terms of a file, before it asks. Where the store has none any more, an answer
    /// without any: the file comes as any other does then.
    pub(super) async fn give_terms_in_advance(
        &self,
        id: FileId,
        file: (XetHash, u64),
        ways: &AnswerWays,
    ) -> Result<(), Failure> {
        let Some(xet) = &self.xet else { return Ok(()) };
        let whole = 0..file.1;
        let missing = std::slice::from_ref(&whole);
        let given = xet.give(id, file, (missing, self.findings.give_terms(id)), ways).await;
        if given.is_err() {
            // Without room for it the conversation is over.
            let none = Order::Terms { file: id, terms: Vec::new(), is_last: true };
            let _ = ways.bytes.send(none).await;
        }
        given
    }

    /// Gives an agent the terms of what it lacks of a file.
    async fn answer_terms(
        &self,
        id: FileId,
        file: Option<(XetHash, u64)>,
        missing: &[Range<u64>],
        ways: &AnswerWays,
    ) {
        let given = match (&self.xet, file) {
            (Some(xet), Some(file)) => {
                // Never closed, so its turn comes.
                let _turn = self.turns.acquire().await;
                xet.give(id, file, (missing, self.findings.give_terms(id)), ways).await
            }
            _ => Err(Failure::new(FailureKind::Unreachable, "the Hub's Xet store is not asked here")),
        };
        if let Err(failure) = given {
            // Behind what was given of an answer that broke off.
            let _ = ways.bytes.send(Order::SourceUnavailable { file: id, failure }).await;
        }
    }

    /// The same, but for the refusals: these are for the caller to pass on. Says which answer it was.
    pub(super) async fn give(
        self,
        asked: AskedSource,
        ways: &AnswerWays,
    ) -> Result<Option<AnswerNumber>, Failure> {
        let AskedSource { id, mut file, had } = asked;
        if let Some(listed) = &self.listed {
            let Some((_, known)) = listed.files.find(file.path.as_str()) else {
                return Err(Failure::new(FailureKind::NotFound, "the repository does not list it"));
            };
            file = known.into();
        }
        // Never closed, so its turn comes.
        let _turn = self.turns.acquire().await;
        match self.hand_down(id, &file, had, ways).await {
            Ok(number) => Ok(Some(number)),
            // The need for an answer is over as well.
            Err(NoSource::Over) => Ok(None),
            Err(NoSource::Refused(error)) => {
                let failure = self.refused(id, &error);
                if failure.kind == FailureKind::NotAllowed {
                    self.findings.keep_first(error);
                }
                Err(failure)
            }
            Err(NoSource::Withheld) => {
                self.findings.withhold(id, file.size);
                let host = self.hub.host();
                Err(Failure::new(
                    FailureKind::NotAllowed,
                    format_args!("{host} sends it only to those who show the token, which a box never gets"),
                ))
            }
        }
    }

    async fn hand_down(
        &self,
        id: FileId,
        file: &ListedFile,
        had: Option<AnswerNumber>,
        ways: &AnswerWays,
    ) -> Result<AnswerNumber, NoSource> {
        let over = |_| NoSource::Over;
        let answered = self.shared.answer(&file.path, had, || self.ask(file)).await;
        let (answer, number) = answered.map_err(NoSource::Refused)?;
        let hub = self.hub.network();
        match answer {
            HubAnswer::Address(address) => {
                ways.orders.send(Order::Source { file: id, address, hub }).await.map_err(over)?;
            }
            HubAnswer::Bytes(bytes) => {
                for chunk in bytes.chunks(limits::INLINE) {
                    // Room first: what waits for it is not copied yet.
                    let room = ways.bytes.reserve().await.map_err(|_| NoSource::Over)?;
                    room.send(Order::Inline { file: id, bytes: chunk.to_vec() });
                }
            }
            // It needs neither a token nor this machine.
            HubAnswer::SelfServed if self.is_for_all(file).await => {
                let address = self.hub.public_address(&self.info, &file.path);
                let address = address.map_err(|error| NoSource::Refused(Arc::new(error)))?;
                ways.orders.send(Order::Source { file: id, address, hub }).await.map_err(over)?;
            }
            HubAnswer::SelfServed if self.relaying == Relaying::Never => return Err(NoSource::Withheld),
            HubAnswer::SelfServed => {
                self.will_relay(id);
                let host = self.hub.host();
                ways.orders.send(Order::Relayed { file: id, host }).await.map_err(over)?;
            }
        }
        Ok(number)
    }

    /// One question to the Hub, or two: where a file is, and what is in it where it is small and the Hub has it itself.
    async fn ask(&self, file: &ListedFile) -> Result<HubAnswer, HubError> {
        match self.hub.sign(&self.info, &file.path).await? {
            Resolved::Elsewhere(address) => Ok(HubAnswer::Address(address)),
            Resolved::Here if self.is_read_here(file).await => {
                self.hub.read_small(&self.info, file).await.map(HubAnswer::Bytes)
            }
            Resolved::Here => Ok(HubAnswer::SelfServed),
        }
    }

    /// Whether a file that the Hub sends itself is read here as a whole.
    async fn is_read_here(&self, file: &ListedFile) -> bool {
        match self.public.targets() {
            // Files of git, which are small: a mirror may send all of them itself.
            Some(targets) if self.is_for_all(file).await => {
                let most = PublicFiles::largest_read_here(targets).clamp(WHOLE, SMALL);
                matches!(file.digest, Digest::GitSha1(_)) && file.size <= most
            }
            _ if self.relaying == Relaying::Never => file.size <= SMALL,
            _ => file.size <= WHOLE,
        }
    }
}
