//! Plots as SVG.

use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

type Failed = Box<dyn std::error::Error>;

/// A bar: what it says at its left and at its right, how long it is, and whether it is one of ours.
pub struct Bar {
    pub label: String,
    pub value: f64,
    pub said: String,
    pub colour: RGBColor,
}

/// A line: its name and its points.
pub type Line = (String, Vec<(f64, f64)>);

/// What is plotted over one axis, each in a field of its own.
pub struct Chart {
    pub title: String,
    pub x: String,
    pub fields: Vec<(String, Vec<Line>)>,
}

pub const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb2);
pub const DURABLE: RGBColor = RGBColor(0x5b, 0xa0, 0x58);
pub const OTHER: RGBColor = RGBColor(0xb0, 0xb0, 0xb0);
const COLOURS: [RGBColor; 4] = [OURS, RGBColor(0xd0, 0x6a, 0x22), DURABLE, RGBColor(0x80, 0x40, 0x90)];

const WIDTH: u32 = 960;
const LEFT: i32 = 380;
const RIGHT: i32 = 160;
const ROW: i32 = 30;

/// Draws bars, one below the other.
pub fn bars(path: &Path, title: &str, bars: &[Bar]) -> Result<(), Failed> {
    let height = ROW * (bars.len() as i32 + 2);
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&BLACK);
    area.draw(&Text::new(title.to_owned(), (10, 12), font(16)))?;
    let longest = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    for (place, bar) in bars.iter().enumerate() {
        let top = ROW * (place as i32 + 1) + 10;
        let end = LEFT + (f64::from(WIDTH as i32 - LEFT - RIGHT) * bar.value / longest) as i32;
        area.draw(&Text::new(bar.label.clone(), (10, top + 4), font(13)))?;
        area.draw(&Rectangle::new([(LEFT, top), (end.max(LEFT + 1), top + ROW - 8)], bar.colour.filled()))?;
        area.draw(&Text::new(bar.said.clone(), (end + 8, top + 4), font(13)))?;
    }
    area.present()?;
    Ok(())
}

/// Draws the fields of a chart side by side; the axis is logarithmic.
pub fn lines(path: &Path, chart: &Chart) -> Result<(), Failed> {
    let area = SVGBackend::new(path, (WIDTH, 380)).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(&chart.title, ("sans-serif", 18))?;
    let points = || chart.fields.iter().flat_map(|(_, lines)| lines).flat_map(|(_, points)| points);
    let from = points().map(|(x, _)| *x).fold(f64::MAX, f64::min).max(0.1);
    let to = points().map(|(x, _)| *x).fold(from * 1.01, f64::max);
    for (place, (name, lines)) in area.split_evenly((1, chart.fields.len())).into_iter().zip(&chart.fields) {
        field(&place, (from..to).log_scale(), &chart.x, name, lines)?;
    }
    area.present()?;
    Ok(())
}

fn field<X>(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    axis: X,
    x: &str,
    name: &str,
    lines: &[Line],
) -> Result<(), Failed>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let highest = lines.iter().flat_map(|(_, points)| points).map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
    // Room for the names above the lines.
    let headroom = if lines.len() > 1 { 1.3 } else { 1.1 };
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .caption(name, ("sans-serif", 15))
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(axis, 0.0..highest * headroom)?;
    chart.configure_mesh().x_desc(x).x_label_formatter(&|x| short(*x)).y_label_formatter(&|y| short(*y)).draw()?;
    for (number, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    if lines.len() > 1 {
        let mut labels = chart.configure_series_labels();
        labels.position(SeriesLabelPosition::UpperRight).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    }
    Ok(())
}

/// A number for an axis: `10k`.
fn short(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{}M", number / 1e6),
        number if number >= 1e3 => format!("{}k", number / 1e3),
        number if number >= 10.0 => format!("{number:.0}"),
        number => format!("{}", (number * 100.0).round() / 100.0),
    }
}
