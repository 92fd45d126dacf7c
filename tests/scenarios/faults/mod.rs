//! Each fault of a server on the way, here and through the agent on a box. Once, it is survived with what is on disk;
//! for ever, it is reported.

mod faulty;
mod for_ever;
mod once;
mod orphans;
mod outage;
mod patience;
mod ranges;
mod slow;
mod small;
mod tls;
