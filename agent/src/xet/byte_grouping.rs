//! Bytes that were put side by side by their place in numbers of four bytes, where they compress better: all the first
//! ones, then all the second ones, and so on.

/// Puts the bytes back in their order. Both are of one length.
pub(super) fn ungroup(grouped: &[u8], ordered: &mut [u8]) {
    let (whole, rest) = (grouped.len() / 4, grouped.len() % 4);
    // The first groups have one byte more each where there is a rest.
    let (first, others) = grouped.split_at(whole + usize::from(rest > 0));
    let (second, others) = others.split_at(whole + usize::from(rest > 1));
    let (third, fourth) = others.split_at(whole + usize::from(rest > 2));
    let numbers = ordered.chunks_exact_mut(4);
    for ((((number, first), second), third), fourth) in numbers.zip(first).zip(second).zip(third).zip(fourth)
    {
        // One number at a time is what the compiler makes wide instructions of.
        number.copy_from_slice(&u32::from_le_bytes([*first, *second, *third, *fourth]).to_le_bytes());
    }
    let last = [first, second, third].map(|group| group.get(whole));
    for (byte, group) in ordered[4 * whole..].iter_mut().zip(last) {
        *byte = group.copied().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_in_their_order() {
        for length in (0..70).chain([4096, 131_071]) {
            let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let grouped: Vec<u8> =
                (0..4).flat_map(|group| bytes.iter().skip(group).step_by(4).copied()).collect();
            let mut ordered = vec![0; length];
            ungroup(&grouped, &mut ordered);
            assert_eq!(ordered, bytes, "{length}");
        }
    }
}
