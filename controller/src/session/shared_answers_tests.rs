//! How often the Hub is asked, whatever targets ask for.

use std::cell::Cell;

use super::*;
use crate::hub::ErrorResponse;

fn path(number: usize) -> RepoPath {
    RepoPath::new(format!("file-{number}")).unwrap()
}

/// An address that is good for an hour, by this machine's clock.
fn address(number: u64) -> HubAnswer {
    let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 3600;
    let address = format!("https://cdn.example/{number}?Expires={end}&Signature=s");
    HubAnswer::Address(Address::new(&address).unwrap())
}

fn refusal(status: u16) -> HubError {
    let answer = Box::new(ErrorResponse::new("https://hub.example/x", status));
    if status == 429 { HubError::RateLimited(answer) } else { HubError::NotAllowed(answer) }
}

/// A Hub that takes a second to answer, and is counted.
struct SlowHub {
    asked: Cell<u64>,
}

impl SlowHub {
    async fn answer(&self) -> Result<HubAnswer, HubError> {
        self.asked.set(self.asked.get() + 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(address(self.asked.get()))
    }

    async fn refuse(&self, status: u16) -> Result<HubAnswer, HubError> {
        self.answer().await.and(Err(refusal(status)))
    }
}

async fn all<T>(asked: impl IntoIterator<Item: Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(asked).await
}

#[tokio::test(start_paused = true)]
async fn two_hundred_boxes_with_two_hundred_files_cost_two_hundred_questions_sixteen_at_once() {
    let (shared, hub) = (&SharedAnswers::default(), &SlowHub { asked: Cell::new(0) });
    let began = Instant::now();
    let ask = async |file| shared.answer(&path(file), None, || hub.answer()).await.unwrap();
    let answers = all((0..200).map(|_| all((0..200).map(&ask)))).await;
    assert_eq!(hub.asked.get(), 200);
    assert_eq!(began.elapsed().as_secs(), 200_u64.div_ceil(QUESTIONS as u64));
    assert!(answers.iter().all(|of_a_box| *of_a_box == answers[0]));
}

#[tokio::test(start_paused = true)]
async fn an_address_is_renewed_once_for_all_when_it_has_aged_or_is_of_no_use() {
    let (shared, hub) = (&SharedAnswers::default(), &SlowHub { asked: Cell::new(0) });
    let file = &path(0);
    let ask = async |had| shared.answer(file, had, || hub.answer()).await.unwrap();
    let (_, first) = ask(None).await;
    // All have it and say that it is stale.
    let renewed = all((0..200).map(|_| ask(Some(first)))).await;
    assert_eq!(hub.asked.get(), 2);
    assert!(renewed.iter().all(|(_, number)| *number > first && *number == renewed[0].1));
    // One that is late with its complaint is given the new one, as is one that comes to the file only now.
    assert_eq!(ask(Some(first)).await, renewed[0]);
    assert_eq!(ask(None).await, renewed[0]);
    assert_eq!(hub.asked.get(), 2);
    // In the middle of its hour.
    tokio::time::advance(Duration::from_secs(1780)).await;
    assert_eq!(ask(None).await, renewed[0]);
    tokio::time::advance(Duration::from_secs(30)).await;
    let again = all((0..200).map(|_| ask(None))).await;
    assert!(again.iter().all(|(_, number)| *number > renewed[0].1));
    assert_eq!(hub.asked.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn bytes_do_not_age_and_are_kept_as_far_as_there_is_room() {
    let (shared, asked) = (&SharedAnswers::default(), &Cell::new(0));
    let ask = async |file, had| {
        let read = async || {
            asked.set(asked.get() + 1);
            Ok(HubAnswer::Bytes(Bytes::from(vec![0; KEPT / 8])))
        };
        shared.answer(&path(file), had, read).await.unwrap()
    };
    let (_, first) = ask(0, None).await;
    tokio::time::advance(Duration::from_secs(100_000)).await;
    ask(0, Some(first)).await;
    assert_eq!(asked.get(), 1);
    for file in 0..20 {
        ask(file, None).await;
        assert!(shared.kept().weight <= KEPT);
    }
    assert_eq!(asked.get(), 20);
    ask(19, None).await;
    assert_eq!(asked.get(), 20, "the last are there");
    ask(0, None).await;
    assert_eq!(asked.get(), 21, "the first has gone");
    let kept = shared.kept();
    assert_eq!((kept.by_file.len(), kept.order.len()), (7, 7));
    assert_eq!(kept.weight, kept.by_file.values().map(|kept| kept.weight).sum::<usize>());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_answers_all_that_wait_and_one_that_does_not_pass_holds_for_a_while() {
    let (shared, hub) = (&SharedAnswers::default(), &SlowHub { asked: Cell::new(0) });
    let ask = async |file, status| {
        let error = shared.answer(&path(file), None, || hub.refuse(status)).await.unwrap_err();
        error.is_worth_another_try()
    };
    assert_eq!(all((0..200).map(|_| ask(0, 429))).await, [true; 200]);
    assert_eq!(hub.asked.get(), 1);
    ask(0, 429).await;
    assert_eq!(hub.asked.get(), 2, "it may have passed");
    assert_eq!(all((0..200).map(|_| ask(1, 403))).await, [false; 200]);
    ask(1, 403).await;
    assert_eq!(hub.asked.get(), 3);
    tokio::time::advance(REFUSED).await;
    assert_eq!(shared.answer(&path(1), None, || hub.answer()).await.unwrap().0, address(4));
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_goes_away_leaves_the_question_to_the_next() {
    let (shared, hub) = (&SharedAnswers::default(), &SlowHub { asked: Cell::new(0) });
    let ask = || async { shared.answer(&path(0), None, || hub.answer()).await.unwrap().0 };
    let goes = tokio::time::timeout(Duration::from_millis(500), ask());
    let (gone, stays) = tokio::join!(goes, ask());
    assert!(gone.is_err());
    assert_eq!((stays, hub.asked.get()), (address(2), 2));
}
