//! Rows for terminals of all widths.

use std::time::Duration;

use insta::assert_snapshot;

use super::*;
use crate::output::sample::{flight, progress};

fn draw(boxes: &[(&str, BoxActivity)], columns: usize) -> String {
    let boxes: Vec<_> = boxes.iter().map(|(name, activity)| (*name, activity)).collect();
    let rows = rows(&boxes, columns, Colour::Plain);
    for row in &rows {
        assert!(columns_of(row) < columns, "{columns} columns: {row:?}");
    }
    rows.join("\n")
}

fn transfer() -> BoxActivity {
    let long = "a-folder/of/many/parts/model-00001-of-00030.safetensors";
    let mut sample = progress();
    sample.in_flight.push(flight(long, 0, 9_949_000_000));
    sample.in_flight.push(flight("done.bin", 8, 8));
    sample.left = Some(Duration::from_secs(72));
    BoxActivity::Transfer(sample)
}

#[test]
fn use_the_width_there_is() {
    assert_snapshot!(draw(&[("", transfer())], 120), @"
    model.safetensors                                   ━━━━━━━━━━━━━━━━━          70 %  389 MB  118 MB/s
    a-folder/of/many…/model-00001-of-00030.safetensors                              0 %     0 B  118 MB/s
    done.bin                                            ━━━━━━━━━━━━━━━━━━━━━━━━  100 %     8 B  118 MB/s
    total                                               ━━━━━━━━━━━━━━━━━╸         73 %  405 MB  121 MB/s  1 m 12 s left
    ");
    assert_snapshot!(draw(&[("", transfer())], 80), @"
    model.safetensors        ━━━━━━━╸      70 %  389 MB  118 MB/s
    model-00001-of-…tensors                 0 %     0 B  118 MB/s
    done.bin                 ━━━━━━━━━━━  100 %     8 B  118 MB/s
    total                    ━━━━━━━━      73 %  405 MB  121 MB/s  1 m 12 s left
    ");
    assert_snapshot!(draw(&[("", transfer())], 60), @"
    model.safetensors   ━━━━━━      70 %  118 MB/s
    model-00001-…nsors               0 %  118 MB/s
    done.bin            ━━━━━━━━━  100 %  118 MB/s
    total               ━━━━━━╸     73 %  121 MB/s  1 m 12 s
    ");
    assert_snapshot!(draw(&[("", transfer())], 40), @"
    model.…rs   70 %  118 MB/s
    model-…rs    0 %  118 MB/s
    done.bin   100 %  118 MB/s
    total       73 %  121 MB/s  1 m 12 s
    ");
    assert_snapshot!(draw(&[("", transfer())], 26), @"
    model.safe…nsors   70 %
    model-0000…nsors    0 %
    done.bin          100 %
    total              73 %
    ");
}

#[test]
fn never_wrap() {
    let survey = BoxActivity::Survey { read: 34, of: 100 };
    for columns in 30..300 {
        draw(&[("", transfer())], columns);
        draw(&[("142.214.185.187:20544", transfer()), ("模型-🤗-box", survey.clone())], columns);
    }
}

#[test]
fn only_count_what_is_beyond_eight_files() {
    let mut sample = progress();
    sample.in_flight = (0..11).map(|number| flight(&format!("part-{number}"), 1, 2)).collect();
    let drawn = draw(&[("", BoxActivity::Transfer(sample))], 60);
    assert_eq!(drawn.lines().count(), 10);
    assert_eq!(drawn.lines().nth(7).unwrap().split_whitespace().next(), Some("part-7"));
    assert_eq!(drawn.lines().nth(8), Some("  and 3 more"));
    assert!(drawn.lines().last().unwrap().starts_with("  total"));
}

#[test]
fn many_boxes_have_a_row_each() {
    let survey = BoxActivity::Survey { read: 340, of: 1_000 };
    let boxes = [("berlin", transfer()), ("oslo:20544", transfer()), ("rome", survey)];
    assert_snapshot!(draw(&boxes, 80), @"
    rome  checking 34 % of 1.0 kB
    berlin      ━━━━━━━━━━━━━━━━━╸         73 %  405 MB  121 MB/s  1 m 12 s left
    oslo:20544  ━━━━━━━━━━━━━━━━━╸         73 %  405 MB  121 MB/s  1 m 12 s left
    ");
}

#[test]
fn bars_move_by_half_columns() {
    for (done, size, bar) in [
        (0, 8, "    "),
        (1, 8, "╸   "),
        (2, 8, "━   "),
        (7, 8, "━━━╸"),
        (8, 8, "━━━━"),
        (9, 8, "━━━━"),
        (0, 0, "━━━━"),
        (u64::MAX - 1, u64::MAX, "━━━╸"),
    ] {
        assert_eq!(draw_bar(done, size, 4, Colour::Plain), bar, "{done} of {size}");
    }
}

#[test]
fn names_lose_their_middle() {
    for (name, columns, expected) in [
        ("model.safetensors", 17, "model.safetensors"),
        ("model.safetensors", 16, "model.safe…nsors"),
        ("model-00001-of-00030.safetensors", 21, "model-00001-of…ensors"),
        ("onnx/decoder/model.onnx", 20, "onnx/dec…/model.onnx"),
        ("onnx/decoder/model.onnx", 13, "o…/model.onnx"),
        ("onnx/decoder/model.onnx", 12, "model.onnx"),
        ("onnx/decoder/model.onnx", 9, "model.…nx"),
        ("abcdef", 5, "abc…f"),
        ("abcdef", 1, "…"),
        ("abcdef", 0, ""),
        ("模型模型.bin", 12, "模型模型.bin"),
        ("模型模型.bin", 9, "模型模…in"),
        ("模型模型.bin", 8, "模型…in"),
    ] {
        let shortened = shorten(name, columns);
        assert!(columns_of(&shortened) <= columns, "{shortened}");
        assert_eq!(shortened, expected, "{name} in {columns}");
    }
}
