//! HTTP and HTTPS: one request, its answer, its bytes.
//!
//! Guarantees: redirects lead to HTTP only, never from HTTPS down, and take no credentials to another host;
//! parts are joined only if the server proves that they are of one version; every read ends in time.
//! Must not know: how often it is tried, what happens to the bytes.

mod answer;
mod client;
mod follow;
mod receive;

use url::Url;

use crate::fetch::bring::{Arrival, Order};
use crate::fetch::partial::Partial;
use crate::fetch::trouble::Trouble;
use crate::fetch::web::answer::{Answer, Verdict};
use crate::fetch::web::client::Client;
use crate::fetch::web::follow::Conditions;

/// Asks once, and takes what comes.
pub(super) fn get(url: &Url, order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival, Trouble> {
    let client = Client::new(order.errand.stall);
    client.watched(order.interrupt, || exchange(&client, url, order, partial))
}

fn exchange(client: &Client, url: &Url, order: &Order<'_>, partial: &mut Partial<'_>) -> Result<Arrival, Trouble> {
    let conditions = conditions(order, partial);
    let location = order.address.kept();
    let response = follow::ask(client, url, &order.errand.headers, &conditions, location)?;
    let answer = Answer::read(&response, location)?;
    match answer.judge(&conditions, partial.note(), location)? {
        Verdict::Unchanged if partial.is_whole() && conditions.of_partial => Ok(Arrival::Whole { fresh: false }),
        Verdict::Unchanged => Ok(Arrival::Unchanged),
        Verdict::GoOn => receive::go_on(&answer, response, order, partial),
        Verdict::Anew => receive::anew(&answer, response, order, partial),
        Verdict::Misfit(reason) => {
            partial.discard()?;
            Err(Trouble::passing(location, reason))
        }
    }
}

/// What the request says of the bytes that are here.
fn conditions(order: &Order<'_>, partial: &Partial<'_>) -> Conditions {
    if partial.is_whole() && partial.note().validators.any() {
        return Conditions { newer_than: Some(partial.note().validators.clone()), of_partial: true, from: None };
    }
    let from = partial.resume_at().map(|at| (at, partial.note().validators.for_range().map(str::to_owned)));
    Conditions { newer_than: order.known.cloned(), of_partial: false, from }
}
