//! A figure: one value of several rounds, its spread, and the goal that it is held to.

use crate::measure::median;

/// Unit of a figure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time of retaind over that of the other side.
    Ratio,
    Millis,
    Mib,
    /// A plain number.
    Count,
}

/// What a figure has to keep to.
#[derive(Clone, Copy)]
pub enum Goal {
    None,
    AtMost(f64),
    /// At most so far from 1, in either direction.
    Near(f64),
}

/// One line of the table.
#[derive(Clone)]
pub struct Figure {
    pub work: String,
    pub beside: String,
    /// Seconds of both sides, the other one's first.
    pub secs: Option<(f64, f64)>,
    pub unit: Unit,
    /// None if it could not be measured, which `remark` explains.
    pub value: Option<f64>,
    /// Least and greatest of all rounds.
    pub spread: Option<(f64, f64)>,
    pub goal: Goal,
    pub remark: String,
}

impl Figure {
    /// The time of a side over that of another, each pair of a round for itself: their median counts.
    pub fn ratio(work: &str, beside: &str, ours: &[f64], theirs: &[f64]) -> Self {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        Self { secs: median(theirs).zip(median(ours)), ..Self::value(work, beside, Unit::Ratio, &ratios) }
    }

    /// The median of several values.
    pub fn value(work: &str, beside: &str, unit: Unit, values: &[f64]) -> Self {
        Self {
            work: work.to_owned(),
            beside: beside.to_owned(),
            secs: None,
            unit,
            value: median(values),
            spread: values.iter().copied().reduce(f64::min).zip(values.iter().copied().reduce(f64::max)),
            goal: Goal::None,
            remark: String::new(),
        }
    }

    /// The greatest of several values.
    pub fn greatest(work: &str, unit: Unit, values: &[f64]) -> Self {
        let figure = Self::value(work, "", unit, values);
        Self { value: figure.spread.map(|(_, greatest)| greatest), ..figure }
    }

    /// A line of what is not to be had.
    pub fn missing(work: &str, beside: &str, why: &str) -> Self {
        Self { remark: why.to_owned(), ..Self::value(work, beside, Unit::Ratio, &[]) }
    }

    /// The worst of the same work in several circumstances; the others are remarked.
    pub fn worst(mut figures: Vec<(String, Figure)>) -> Option<Self> {
        let value = |figure: &Figure| figure.value.unwrap_or(f64::INFINITY);
        figures.sort_by(|(_, a), (_, b)| value(b).total_cmp(&value(a)));
        let mut figures = figures.into_iter();
        let (circumstance, mut worst) = figures.next()?;
        let others: Vec<String> =
            figures.filter_map(|(name, other)| Some(format!("{name} {:.2}", other.value?))).collect();
        if worst.value.is_some() {
            worst.remark = format!("{circumstance}; {}", others.join(", "));
        }
        Some(worst)
    }

    /// The same held to a goal.
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// The same with a remark.
    pub fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: remark.into(), ..self }
    }

    /// True if the goal was met, or there is none; never of what could not be measured.
    pub fn is_met(&self) -> bool {
        let Some(value) = self.value else { return false };
        match self.goal {
            Goal::None => true,
            Goal::AtMost(limit) => value <= limit,
            Goal::Near(limit) => (value - 1.0).abs() <= limit,
        }
    }
}
