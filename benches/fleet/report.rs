//! Figures for people, and for later.

use std::fmt::Write as _;
use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Circle, IntoDrawingArea as _, IntoLogRange as _, LineSeries, PathElement, RGBColor,
    SVGBackend, WHITE,
};
use simulator::Operation;

use crate::measure::Figures;

/// A bound's phase begins so.
const BOUND: &str = "bound of ";

/// All figures, a line each.
pub fn table(all: &[Figures]) -> String {
    let mut text = format!(
        "{:<22}{:>7}{:>9}{:>8}{:>8}{:>9}{:>8}{:>7}{:>7}{:>7}{:>22}{:>10}{:>10}{:>8}{:>8}\n",
        "phase",
        "size",
        "seconds",
        "each/s",
        "bound",
        "CPU ms",
        "writes",
        "Events",
        "reads",
        "dry",
        "remote calls",
        "sent",
        "received",
        "RSS",
        "peak"
    );
    for figures in all {
        let bound = all.iter().find(|bound| {
            bound.size == figures.size && bound.phase.strip_prefix(BOUND) == Some(figures.phase.as_str())
        });
        let of_bound =
            bound.map_or_else(String::new, |bound| format!("{:.2}", bound.seconds / figures.seconds));
        let dry = figures.kubernetes.iter().filter(|(what, _)| what.ends_with("(dry run)"));
        let dry = dry.map(|(_, count)| count).sum::<usize>();
        let each = |count: usize| format!("{:.3}", figures.each(count as f64));
        let _ = writeln!(
            text,
            "{:<22}{:>7}{:>9.1}{:>8.0}{of_bound:>8}{:>9.2}{:>8}{:>7}{:>7}{dry:>7}{:>22}{:>10}{:>10}{:>8}{:>8}",
            figures.phase,
            figures.size,
            figures.seconds,
            figures.rate(),
            figures.each(figures.cpu_seconds * 1000.0),
            each(figures.writes() - dry),
            each(figures.events()),
            each(figures.reads()),
            remote(figures),
            bytes(figures.each(figures.bytes_sent as f64)),
            bytes(figures.each(figures.bytes_received as f64)),
            bytes(figures.memory as f64),
            bytes(figures.peak_memory as f64),
        );
    }
    text
}

/// Such as `1 create, 2 patch`: of each resource, but for lists and tokens, which are of the fleet.
fn remote(figures: &Figures) -> String {
    let mut told = Vec::new();
    for (operation, letter) in [
        (Operation::Create, "POST"),
        (Operation::Patch, "PATCH"),
        (Operation::Delete, "DELETE"),
        (Operation::Get, "GET"),
    ] {
        let calls = figures.calls(operation);
        if calls > 0 {
            told.push(format!("{:.2} {letter}", figures.each(calls as f64)));
        }
    }
    let lists = figures.calls(Operation::List);
    if lists > 0 {
        told.push(format!("{lists} pages"));
    }
    told.join(", ")
}

fn bytes(bytes: f64) -> String {
    match bytes {
        0.0 => String::new(),
        ..1024.0 => format!("{bytes:.0} B"),
        ..1_048_576.0 => format!("{:.1} K", bytes / 1024.0),
        _ => format!("{:.1} M", bytes / 1_048_576.0),
    }
}

/// Draws the processor time of each resource against the size of the fleet, a line for each phase.
pub fn plot(all: &[Figures], path: &Path) {
    let measured = all.iter().filter(|figures| figures.cpu_seconds > 0.0).collect::<Vec<_>>();
    let cost = |figures: &Figures| figures.each(figures.cpu_seconds * 1000.0).max(0.001);
    let sizes = measured.iter().map(|figures| figures.size as f64);
    let (smallest, largest) =
        sizes.fold((f64::MAX, 1.0_f64), |(least, most), size| (least.min(size), most.max(size)));
    let highest = measured.iter().map(|figures| cost(figures)).fold(0.01, f64::max);
    let area = SVGBackend::new(path, (900, 500)).into_drawing_area();
    let drawn = (|| {
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("processor time of each resource, in ms", ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(
                (smallest * 0.8..largest * 4.0).log_scale(),
                (0.005..highest * 1.5).log_scale(),
            )?;
        chart.configure_mesh().x_desc("resources").draw()?;
        let mut phases = measured.iter().map(|figures| figures.phase.as_str()).collect::<Vec<_>>();
        phases.dedup();
        phases.sort_unstable();
        phases.dedup();
        for (number, phase) in phases.into_iter().enumerate() {
            let colour = colour(number);
            let points = measured.iter().filter(|figures| figures.phase == phase);
            let points = points.map(|figures| (figures.size as f64, cost(figures))).collect::<Vec<_>>();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), &colour))?
                .label(phase)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour)))?;
        }
        chart.configure_series_labels().border_style(BLACK).draw()?;
        area.present()
    })();
    drawn.expect("it is drawn");
}

fn colour(number: usize) -> RGBColor {
    const COLOURS: [(u8, u8, u8); 10] = [
        (31, 119, 180),
        (255, 127, 14),
        (44, 160, 44),
        (214, 39, 40),
        (148, 103, 189),
        (140, 86, 75),
        (227, 119, 194),
        (127, 127, 127),
        (188, 189, 34),
        (23, 190, 207),
    ];
    let (red, green, blue) = COLOURS[number % COLOURS.len()];
    RGBColor(red, green, blue)
}

/// How the figures of one run differ from those of another, as ratios.
pub fn compare(before: &[Figures], after: &[Figures]) -> String {
    let mut text = format!(
        "{:<22}{:>7}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
        "phase", "size", "seconds", "CPU", "requests", "calls", "bytes", "peak"
    );
    for after in after {
        let Some(before) =
            before.iter().find(|before| (&before.phase, before.size) == (&after.phase, after.size))
        else {
            continue;
        };
        let ratio = |of: fn(&Figures) -> f64| match of(before) {
            0.0 => String::new(),
            before => format!("× {:.2}", of(after) / before),
        };
        let _ = writeln!(
            text,
            "{:<22}{:>7}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            after.phase,
            after.size,
            ratio(|figures| figures.seconds),
            ratio(|figures| figures.cpu_seconds),
            ratio(|figures| figures.kubernetes.values().sum::<usize>() as f64),
            ratio(|figures| figures.remote.values().sum::<usize>() as f64),
            ratio(|figures| (figures.bytes_sent + figures.bytes_received) as f64),
            ratio(|figures| figures.peak_memory as f64),
        );
    }
    text
}
