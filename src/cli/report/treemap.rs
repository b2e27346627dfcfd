//! Divides a rectangle so that each part's area is in proportion to its weight, and near to a square.
//!
//! Squarified treemaps, after Bruls, Huizing and van Wijk (2000): rows are laid along the shorter side as
//! long as their worst part comes nearer to a square.

/// A part of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    pub(super) fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Cuts a strip of this area off, from the left of a wide one, from the top of a high one.
    fn cut(&mut self, area: f64) -> Self {
        let strip = if self.width >= self.height {
            let width = (area / self.height).min(self.width);
            Self { width, ..*self }
        } else {
            let height = (area / self.width).min(self.height);
            Self { height, ..*self }
        };
        if self.width >= self.height {
            self.x += strip.width;
            self.width -= strip.width;
        } else {
            self.y += strip.height;
            self.height -= strip.height;
        }
        strip
    }
}

/// Lays out parts of these weights, largest first, in `whole`; each gets its place in the order given.
pub(super) fn squarify(weights: &[u64], whole: Rect) -> Vec<Rect> {
    debug_assert!(weights.is_sorted_by(|a, b| a >= b), "the largest come first");
    let weights = numbers(weights);
    let total: f64 = weights.iter().sum();
    if total <= 0.0 || whole.area() <= 0.0 {
        return weights.iter().map(|_| Rect { width: 0.0, height: 0.0, ..whole }).collect();
    }
    let areas: Vec<f64> = weights.iter().map(|weight| weight / total * whole.area()).collect();
    let mut laid = Vec::with_capacity(areas.len());
    let (mut rest, mut left) = (areas.as_slice(), whole);
    while !rest.is_empty() {
        let (row, others) = rest.split_at(row_length(rest, left.width.min(left.height)));
        lay(row, &mut left, &mut laid);
        rest = others;
    }
    laid
}

#[expect(clippy::cast_precision_loss, reason = "a picture has no more than a few thousand points a side")]
fn numbers(weights: &[u64]) -> Vec<f64> {
    weights.iter().map(|weight| *weight as f64).collect()
}

/// Returns how many of the first parts make the best row along a side.
fn row_length(areas: &[f64], side: f64) -> usize {
    let mut sum = areas[0];
    let mut worst = badness(areas[0], areas[0], sum, side);
    for (at, area) in areas.iter().enumerate().skip(1) {
        let next = badness(areas[0], *area, sum + area, side);
        if next > worst {
            return at;
        }
        (sum, worst) = (sum + area, next);
    }
    areas.len()
}

/// How far from a square the worst part of a row is, of which these are the largest, the smallest and the sum.
fn badness(largest: f64, smallest: f64, sum: f64, side: f64) -> f64 {
    let (side, sum) = (side * side, sum * sum);
    (side * largest / sum).max(sum / (side * smallest.max(f64::MIN_POSITIVE)))
}

fn lay(row: &[f64], left: &mut Rect, laid: &mut Vec<Rect>) {
    let sum: f64 = row.iter().sum();
    let is_column = left.width >= left.height;
    let mut strip = left.cut(sum);
    let full = if is_column { strip.height } else { strip.width };
    for area in row {
        let length = if sum > 0.0 { area / sum * full } else { 0.0 };
        if is_column {
            laid.push(Rect { height: length, ..strip });
            strip.y += length;
        } else {
            laid.push(Rect { width: length, ..strip });
            strip.x += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Rect = Rect { x: 10.0, y: 20.0, width: 1000.0, height: 600.0 };

    fn weights() -> Vec<Vec<u64>> {
        let halves = (0..40).map(|power| 1 << (40 - power)).collect();
        let alike = vec![7; 1000];
        let many = (1..500).rev().map(|n| n * n).collect();
        vec![vec![6, 6, 4, 3, 2, 2, 1], vec![1], halves, alike, many, vec![5, 0, 0], vec![u64::MAX / 4, 3]]
    }

    #[test]
    fn areas_are_in_proportion_and_fill_the_whole() {
        for weights in weights() {
            let laid = squarify(&weights, WHOLE);
            assert_eq!(laid.len(), weights.len());
            let weights = numbers(&weights);
            let total: f64 = weights.iter().sum();
            for (weight, rect) in weights.iter().zip(&laid) {
                let wanted = weight / total * WHOLE.area();
                assert!((rect.area() - wanted).abs() < 1e-3, "{rect:?} is not {wanted}");
            }
            let sum: f64 = laid.iter().map(Rect::area).sum();
            assert!((sum - WHOLE.area()).abs() < 1e-3);
        }
    }

    #[test]
    fn nothing_overlaps_or_lies_outside() {
        const SLACK: f64 = 1e-6;
        for weights in weights() {
            let laid = squarify(&weights, WHOLE);
            for (at, a) in laid.iter().enumerate() {
                assert!(a.x >= WHOLE.x - SLACK && a.x + a.width <= WHOLE.x + WHOLE.width + SLACK, "{a:?}");
                assert!(a.y >= WHOLE.y - SLACK && a.y + a.height <= WHOLE.y + WHOLE.height + SLACK, "{a:?}");
                for b in &laid[at + 1..] {
                    let width = (a.x + a.width).min(b.x + b.width) - a.x.max(b.x);
                    let height = (a.y + a.height).min(b.y + b.height) - a.y.max(b.y);
                    assert!(width <= SLACK || height <= SLACK, "{a:?} and {b:?} overlap");
                }
            }
        }
    }

    #[test]
    fn parts_come_near_to_squares() {
        let laid = squarify(&[6, 6, 4, 3, 2, 2, 1], Rect { x: 0.0, y: 0.0, width: 6.0, height: 4.0 });
        let aspect = |rect: &Rect| (rect.width / rect.height).max(rect.height / rect.width);
        assert!(laid.iter().all(|rect| aspect(rect) < 3.0), "{laid:?}");
        assert_eq!(laid[0], Rect { x: 0.0, y: 0.0, width: 3.0, height: 2.0 });
    }

    #[test]
    fn nothing_has_no_area() {
        assert_eq!(squarify(&[], WHOLE), []);
        assert!(squarify(&[0, 0], WHOLE).iter().all(|rect| rect.width == 0.0 && rect.height == 0.0));
    }
}
