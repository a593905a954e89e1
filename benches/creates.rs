//! What a create costs the operator by the size of the fleet: processor time, of one process of its own for each
//! size, against a real API server and the simulator. `cargo bench --bench creates`; it takes minutes.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "figures for people")]

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use kube::api::ListParams;
use serde_json::json;
use testkit::{Usage, World, has_condition};
use webhook_operator::resources::WebhookEndpoint;

const SIZES: [usize; 2] = [1_000, 10_000];
/// What is given up after.
const LONGEST: Duration = Duration::from_mins(20);

struct Row {
    size: usize,
    wall: Duration,
    cpu: Duration,
    memory: u64,
}

impl Row {
    fn cpu_per_create(&self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / self.size as f64
    }
}

async fn create(size: usize) -> Row {
    let world = World::with_own_operator(&format!("creates-{size}")).await;
    let limits = json!({ "requestsPerSecond": 1000, "burst": 1000, "inFlight": 100 });
    // No list but the one that is due at the start.
    world.change_network(json!({ "limits": limits, "resyncInterval": "24h" })).await;
    world.network_ready().await;
    let (before, began) = (world.operator().usage(), Instant::now());
    let names = (0..size).map(|number| format!("e{number:05}"));
    world.endpoints_named(names, &json!({})).await;
    loop {
        let left = size - ready(&world).await;
        if left == 0 {
            break;
        }
        println!("  {size}: {left} to go after {:.0} s", began.elapsed().as_secs_f64());
        assert!(began.elapsed() < LONGEST, "it takes too long");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let Usage { cpu, memory } = world.operator().usage();
    Row { size, wall: began.elapsed(), cpu: cpu.saturating_sub(before.cpu), memory }
}

async fn ready(world: &World) -> usize {
    let api = world.api::<WebhookEndpoint>();
    let pages = stream::try_unfold(Some(String::new()), |token| {
        let api = api.clone();
        async move {
            let Some(token) = token else { return Ok(None) };
            let params = ListParams::default().limit(500);
            let params = if token.is_empty() { params } else { params.continue_token(&token) };
            let page = api.list(&params).await?;
            let next = page.metadata.continue_.filter(|token| !token.is_empty());
            Ok::<_, kube::Error>(Some((page.items, next)))
        }
    });
    let is_ready = |resource: &&WebhookEndpoint| has_condition(*resource, "Ready", "True", "Available");
    let counts = pages.map(|page| page.map_or(0, |items| items.iter().filter(is_ready).count()));
    counts.fold(0, |sum, count| std::future::ready(sum + count)).await
}

#[tokio::main]
async fn main() {
    let rows = stream::iter(SIZES).then(create).collect::<Vec<_>>().await;
    println!("{:>10} {:>10} {:>16} {:>12}", "resources", "wall", "CPU per create", "memory");
    for row in &rows {
        let mib = row.memory as f64 / f64::from(1024 * 1024);
        let (wall, cpu) = (row.wall.as_secs_f64(), row.cpu_per_create());
        println!("{:>10} {wall:>8.0} s {cpu:>13.2} ms {mib:>8.0} MiB", row.size);
    }
    if let [small, .., large] = rows.as_slice() {
        let ratio = large.cpu_per_create() / small.cpu_per_create();
        println!("CPU per create, large to small: {ratio:.2}");
    }
}
