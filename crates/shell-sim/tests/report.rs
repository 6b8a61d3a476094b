//! tmp
#[path = "report/day.rs"]
mod day;
#[test]
fn dump() {
    let t = std::time::Instant::now();
    let (h, lines) = day::traced(7, 24);
    println!("{:?} {}", t.elapsed(), lines.len());
    let mut s = serde_json::to_string(&h).unwrap() + "\n";
    for l in &lines { s += &(serde_json::to_string(l).unwrap() + "\n"); }
    std::fs::write("/tmp/day.trace", s).unwrap();
}
