package human

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes in the unit that suits it, with two digits or three: "1.5 kB".
func Size(n int64) string { return sized(n, 1000, []string{" kB", " MB", " GB", " TB"}) }

// BinarySize is Size in the units by which memory and disks are configured: "512 MiB".
func BinarySize(n int64) string { return sized(n, 1024, []string{" KiB", " MiB", " GiB", " TiB"}) }

func sized(n int64, step float64, units []string) string {
	if n < int64(step) {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	amount, unit := float64(n)/step, 0
	for amount >= step-0.5 && unit < len(units)-1 {
		amount, unit = amount/step, unit+1
	}
	digits := 0
	if amount < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(amount, 'f', digits, 64) + units[unit]
}

// bytesOf is what the units of ParseSize stand for.
var bytesOf = map[string]float64{
	"": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"ki": 1 << 10, "kib": 1 << 10, "mi": 1 << 20, "mib": 1 << 20, "gi": 1 << 30, "gib": 1 << 30, "ti": 1 << 40, "tib": 1 << 40,
}

// maxParsed bounds what ParseSize reads, so that no number of it overflows.
const maxParsed = 1 << 60

// ParseSize reads a number of bytes: a number with or without decimals and commas, and a
// unit such as MB or MiB in letters of either case.
func ParseSize(text string) (int64, error) {
	number := strings.TrimRight(strings.TrimSpace(text), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, known := bytesOf[strings.ToLower(strings.TrimSpace(text)[len(number):])]
	digits := strings.ReplaceAll(strings.TrimSpace(number), ",", "")
	amount, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || strings.Trim(digits, "0123456789.") != "" || amount*unit > maxParsed {
		return 0, fmt.Errorf("%q is no size", Shorten(text, 80))
	}
	return int64(amount * unit), nil
}
