//! tmp
#[path = "report/day.rs"]
mod day;
use everbeat_sim::report::page;
#[test]
fn dump() {
    let (h, lines) = day::traced(7, 24);
    let t = std::time::Instant::now();
    std::fs::write("/tmp/kept.html", page(&h, &lines, &[])).unwrap();
    println!("{:?} {}", t.elapsed(), lines.len());
    let broken = [
        "S3: a self-message at 30125.5s, 3s after the last".to_owned(),
        "L2: (\"d15\", \"failed\"), listed at Listed { first: 2000s, last: 2100s }, is not stored"
            .to_owned(),
    ];
    std::fs::write("/tmp/broken.html", page(&h, &lines, &broken)).unwrap();
}
