using SecureChat.Bench;
using SecureChat.Bench.Rows;

foreach (var (name, cost) in OurRows.Measure(args.FirstOrDefault()))
{
    Terminal.Print($"{name} {cost.Microseconds:F1} us {cost.Bytes} B");
}

return 0;
