//! What the loop tells, and when.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::cluster::watch::News;

type Told = Rc<RefCell<Vec<String>>>;

/// An edge that has heard nothing, and what it says is missing.
fn edge<'m>(meters: &'m Meters, watches: &[(Watched, Option<String>)]) -> (Desk<'m>, Told) {
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| {
        std::future::pending::<Result<http::Response<kube::client::Body>, std::io::Error>>()
    });
    let roles = Roles { controller: false, edge: true };
    let told = Told::default();
    let noted = told.clone();
    let desk = Desk {
        core: Core::new(roles, Settings::default(), watches, Box::new(|_| {})),
        hands: Hands::new(kube::Client::new(service, "n"), 1, meters.control.clone()),
        shelf: None,
        stale: None,
        tell: Box::new(move |missing, _| *noted.borrow_mut() = missing),
        served: watch::channel(Served::default()).0,
        ready: false,
        clock: Clock::start(),
        meters,
    };
    (desk, told)
}

#[tokio::test]
async fn requests_are_welcome_once_the_first_table_is_in_service() {
    let process = Arc::new(Meter::new().unwrap());
    let meters = Meters { control: process.control().unwrap(), process };
    let kinds = kinds::watched(Roles { controller: false, edge: true });
    let watches: Vec<_> = kinds.into_iter().map(|watched| (watched, None)).collect();
    let (mut desk, told) = edge(&meters, &watches);
    desk.tell();
    assert_eq!(told.borrow().len(), watches.len());
    for watch in 0..watches.len() {
        let heard = |news| Heard { watch, at: Instant::now(), news };
        desk.hear(vec![heard(News::Began), heard(News::Complete)]);
    }
    assert_eq!(*told.borrow(), ["the first table"]);
    desk.conclude(Instant::now());
    assert!(told.borrow().is_empty());
}
