//! Words to destinations: said once, in order, and given up for newer ones alone.

use super::*;
use crate::policy::NoticeEvent;

fn condition(task: &str, digest: &str) -> NoticeCondition {
    let notice = Notice {
        id: RunId::nil(),
        event: NoticeEvent::Blocked,
        state: NoticeState::Firing,
        subject: NoticeSubject::task(&name(task)),
        since: at(0),
        at: at(0),
        host: "nas".to_owned(),
        title: format!("{task} {digest}"),
        message: String::new(),
        command: String::new(),
        run_id: None,
        policies: Vec::new(),
    };
    NoticeCondition { digest: digest.to_owned(), notice }
}

async fn say(ledger: &Ledger, conditions: &[(&str, &str)], secs: i64) -> Said {
    let conditions = conditions.iter().map(|(task, digest)| condition(task, digest)).collect();
    let to = vec![("ops".to_owned(), vec![NoticeEvent::Blocked]), ("dba".to_owned(), vec![NoticeEvent::Held])];
    ledger.say(Conditions { conditions, unsure: Vec::new() }, to, at(secs)).await.unwrap()
}

/// Takes out the next message: its state and title.
async fn next(ledger: &Ledger) -> Option<(NoticeState, String)> {
    let message = ledger.next_message("ops").await.unwrap()?;
    ledger.take_message(message.number).await.unwrap();
    let notice: Notice = serde_json::from_str(&message.payload).unwrap();
    assert_ne!(notice.id, RunId::nil());
    Some((notice.state, notice.title))
}

#[tokio::test]
async fn a_condition_is_said_once_until_it_changes() {
    let (_directory, ledger) = ledger().await;
    assert_eq!(say(&ledger, &[("a", "x")], 1).await.to, ["ops"]);
    assert!(say(&ledger, &[("a", "x")], 2).await.to.is_empty());
    assert_eq!(say(&ledger, &[("a", "y"), ("b", "x")], 3).await.to, ["ops"]);
    assert_eq!(say(&ledger, &[("b", "x")], 4).await.to, ["ops"]);
    let mut said = Vec::new();
    while let Some(message) = next(&ledger).await {
        said.push(message);
    }
    let firing = |title: &str| (NoticeState::Firing, title.to_owned());
    let over = (NoticeState::Resolved, "task a: no longer blocked".to_owned());
    assert_eq!(said, [firing("a x"), firing("a y"), firing("b x"), over]);
    assert!(say(&ledger, &[("b", "x")], 5).await.to.is_empty());
}

#[tokio::test]
async fn what_is_not_known_stays_as_it_was() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x")], 1).await;
    let unsure = vec![(NoticeEvent::Blocked, NoticeSubject::task(&name("a")))];
    let to = |on| vec![("ops".to_owned(), vec![on])];
    let unknown = Conditions { conditions: Vec::new(), unsure };
    assert!(ledger.say(unknown, to(NoticeEvent::Blocked), at(2)).await.unwrap().to.is_empty());
    // Whoever wants to hear nothing of it any more hears nothing of its end.
    assert!(ledger.say(Conditions::default(), to(NoticeEvent::Held), at(3)).await.unwrap().to.is_empty());
    assert!(ledger.say(Conditions::default(), to(NoticeEvent::Blocked), at(4)).await.unwrap().to.is_empty());
}

#[tokio::test]
async fn a_refused_message_holds_up_its_condition_alone() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x"), ("b", "x")], 1).await;
    say(&ledger, &[("a", "y"), ("b", "x")], 2).await;
    let refused = ledger.next_message("ops").await.unwrap().unwrap();
    ledger.note_attempt(refused.number, "400", Some(at(1000))).await.unwrap();
    let backlogs = ledger.backlogs().await.unwrap();
    assert_eq!((backlogs.len(), backlogs[0].messages, backlogs[0].error.as_deref()), (1, 3, Some("400")));
    assert_eq!(next(&ledger).await.unwrap().1, "b x");
    let again = ledger.next_message("ops").await.unwrap().unwrap();
    assert_eq!((again.number, again.attempts, again.try_at), (refused.number, 1, Some(at(1000))));
    assert_eq!(next(&ledger).await.unwrap().1, "a x");
    assert_eq!(next(&ledger).await.unwrap().1, "a y");
}

#[tokio::test]
async fn only_what_is_superseded_is_given_up() {
    let (_directory, ledger) = ledger().await;
    for turn in 0..250 {
        say(&ledger, &[("a", &turn.to_string())], turn).await;
    }
    assert_eq!(ledger.backlogs().await.unwrap()[0].messages, 200);
    assert_eq!(next(&ledger).await.unwrap().1, "a 50");
    // A week later the newest is left, however old it is.
    let week = 8 * 86_400;
    let said = say(&ledger, &[("a", "249"), ("b", "x")], week).await;
    assert_eq!(said.dropped, [("ops".to_owned(), 198)]);
    assert_eq!((next(&ledger).await.unwrap().1, next(&ledger).await.unwrap().1), ("a 249".into(), "b x".into()));
}

#[tokio::test]
async fn who_is_gone_is_forgotten() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x")], 1).await;
    assert_eq!(ledger.forget_destinations(vec!["dba".to_owned()]).await.unwrap(), [("ops".to_owned(), 1)]);
    assert!(next(&ledger).await.is_none());
    assert_eq!(say(&ledger, &[("a", "x")], 2).await.to, ["ops"], "whoever comes back is told");
}

#[tokio::test]
async fn a_monitor_hears_of_an_end_once() {
    let (_directory, ledger) = ledger().await;
    let runs: Vec<RunId> = (1..=3_u128).map(uuid::Uuid::from_u128).collect();
    ledger.begin_beats("ping:a", [runs[0]].into()).await.unwrap();
    ledger.begin_beats("ping:a", [runs[2]].into()).await.unwrap();
    let beat = |run: usize, sign| vec![Heartbeat { sign, run_id: runs[run], message: String::new() }];
    let ended = |some: &[usize]| Some(some.iter().map(|run| runs[*run]).collect());
    let new = async |heartbeats| ledger.beat("ping:a", heartbeats, at(1)).await.unwrap().is_some();
    assert!(!new((beat(0, HeartbeatSign::Success), ended(&[0]))).await, "it ended before the monitor was there");
    // One that began later ends first, and by a clock that was ahead.
    assert!(new((beat(2, HeartbeatSign::Failure), ended(&[0, 2]))).await);
    assert!(new((beat(1, HeartbeatSign::Start), None)).await);
    assert!(new((beat(1, HeartbeatSign::Success), ended(&[0, 1, 2]))).await);
    assert!(!new((beat(1, HeartbeatSign::Success), None)).await && !new((beat(1, HeartbeatSign::Start), None)).await);
    assert_eq!(ledger.heard("ping:a").await.unwrap(), ended(&[0, 1, 2]));
    assert!(!new((Vec::new(), ended(&[1, 2]))).await);
    assert_eq!(ledger.heard("ping:a").await.unwrap(), ended(&[1, 2]), "what is not looked at any more is forgotten");
    for _ in 0..30 {
        new((vec![Heartbeat { sign: HeartbeatSign::Start, run_id: RunId::now_v7(), message: String::new() }], None))
            .await;
    }
    assert_eq!(ledger.backlogs().await.unwrap()[0].messages, 20);
}

#[tokio::test]
async fn what_was_given_up_is_told_anew() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x")], 1).await;
    let message = ledger.next_message("ops").await.unwrap().unwrap();
    ledger.give_up(message.number).await.unwrap();
    assert!(next(&ledger).await.is_none());
    assert_eq!(say(&ledger, &[("a", "x")], 2).await.to, ["ops"], "it is still so");
    assert_eq!(next(&ledger).await.unwrap().1, "a x");
}

#[tokio::test]
async fn the_last_word_is_of_what_is_so() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x")], 1).await;
    next(&ledger).await;
    say(&ledger, &[("b", "x")], 2).await;
    assert_eq!(
        (next(&ledger).await.unwrap().0, next(&ledger).await.unwrap().0),
        (NoticeState::Resolved, NoticeState::Firing)
    );
}

#[tokio::test]
async fn others_go_before_one_that_cannot_be_delivered() {
    let (_directory, ledger) = ledger().await;
    say(&ledger, &[("a", "x"), ("b", "x")], 1).await;
    let first = ledger.next_message("ops").await.unwrap().unwrap();
    ledger.note_attempt(first.number, "403", Some(at(900))).await.unwrap();
    assert_ne!(ledger.next_message("ops").await.unwrap().unwrap().number, first.number);
    ledger.retry_all("ops").await.unwrap();
    assert_eq!(ledger.next_message("ops").await.unwrap().unwrap().number, first.number);
}
