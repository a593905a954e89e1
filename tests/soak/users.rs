//! What people, and the vendor, do to an endpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::account::{Account, Deed};
use crate::service::Service;

/// The more often it is here, the more often it is done.
const DEEDS: [Deed; 8] = [
    Deed::Rotate,
    Deed::Rotate,
    Deed::Rotate,
    Deed::Move,
    Deed::Move,
    Deed::LoseSecret,
    Deed::LoseSecret,
    Deed::Disable,
];

/// Does one after the other until then.
pub async fn change_minds(service: Arc<Service>, account: Arc<Account>, seed: u64, until: Instant) {
    let mut rng = StdRng::seed_from_u64(seed);
    for number in 1_u32.. {
        // Now and then before what was done before has come to its end.
        let pause = Duration::from_millis(*[500, 4_000, 9_000].choose(&mut rng).expect("one"));
        tokio::time::sleep(pause.mul_f64(rng.random_range(0.5..1.5))).await;
        if Instant::now() >= until {
            return;
        }
        let deed = *DEEDS.choose(&mut rng).expect("one");
        let done = match deed {
            Deed::Rotate => {
                service.rotate(number).await;
                true
            }
            Deed::Move => service.move_on(rng.random_range(0..1_000)).await,
            Deed::LoseSecret => service.lose_secret().await,
            Deed::Disable => service.be_disabled(&account),
        };
        if done {
            account.did(deed);
        }
    }
}
