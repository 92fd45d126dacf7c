//! What `hfdown help TOPIC` says of a subject that is no verb.

use clap::Command;

/// A subject, the words that ask for it, and what is said.
struct Topic {
    names: &'static [&'static str],
    text: &'static str,
}

const TOPICS: [Topic; 1] = [Topic { names: &["fleets", "fleet"], text: FLEETS }];

const FLEETS: &str = "\
One command for many boxes, and when to leave them to another engine

One command takes any number of boxes. It lists the model once, asks for each signed address once,
and needs nothing on the boxes but SSH and /bin/sh:

  hfdown rsync-to-vast MODEL 'root@a' 'root@b' '~/model'       boxes by hand, one folder
  hfdown rsync-to-vast MODEL 'root@gpu[001-064]' '~/model'     a range of them
  hfdown rsync-to-vast MODEL --hosts boxes.txt '~/model'       lines: SSH, NAME = SSH, SSH -> DIR
  vastai show instances --raw | hfdown rsync-to-vast MODEL --vast-json - '~/model'

  --select GLOB       only the boxes of such names
  --jobs N            so many boxes at once
  --timeout SECONDS   the longest that one box may take
  --fail-fast         the first box that fails ends the others
  --report FILE       a page (.html) or a table (.json) of what became of each box

The same words name the boxes of verify, status, attach and stop. Again on a complete fleet it moves
nothing; with --detach the boxes go on by themselves, and attach joins all of them. A box that fails
never disturbs another.

Exit codes: 0 all boxes are complete, 3 some are not, the reason's own code where all failed for one
reason, 130 cancelled. With --json each box has one last object of its own, and the fleet has one.

One command is right where one machine reaches all boxes by SSH: rented ones, or one rack. Where
something else starts programs on the machines already, let it start this one, which is a single
file without a service:

  Ansible      one run per host, from the controller or on the hosts; changed, ok and failed are
               told by --json
  Slurm        `srun hfdown rsync-sync MODEL DIR`: on a shared disk one task fetches, and the others
               wait for it and find everything in place
  Kubernetes   an init container that fills a volume before the server starts
  a shell      a loop, or xargs -P, by exit codes

Each of them is a recipe that the tests run: tests/recipes/ beside the source. They list the model
once per host: behind one address the Hub answers so many questions in five minutes and no more
(429, which is waited for), and only the one command asks once for all.
";

/// What is said of the topic that `hfdown help` was asked for. `None` where the words ask for something else.
pub(super) fn topic(words: &[&str]) -> Option<clap::Error> {
    let ["help", word] = words else { return None };
    let topic = TOPICS.iter().find(|topic| topic.names.contains(word))?;
    // Help like any other: it goes to standard output, and ends with 0.
    Command::new("help").override_help(topic.text).try_get_matches_from(["help", "--help"]).err()
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn a_topic_is_help_and_nothing_else_is_one() {
        let said = topic(&["help", "fleets"]).expect("there is such a topic");
        assert_eq!(said.kind(), ErrorKind::DisplayHelp);
        assert_eq!(said.to_string(), FLEETS);
        for words in
            [&["help"][..], &["help", "verify"], &["fleets"], &["help", "fleets", "x"], &["info", "fleets"]]
        {
            assert!(topic(words).is_none(), "{words:?}");
        }
    }

    #[test]
    fn a_topic_fits_a_screen_like_the_rest_of_the_help() {
        for line in TOPICS.iter().flat_map(|topic| topic.text.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
