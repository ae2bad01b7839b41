using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using SecureChat.Server.Abuse;
using SecureChat.Server.Storage;
using SecureChat.Server.Tests.Architecture;

namespace SecureChat.Server.Tests.Abuse;

/// <summary>Proofs of work: docs/protocol/abuse.md#proof-of-work.</summary>
public sealed class ProofOfWorkTests : IDisposable
{
    private static readonly byte[] Caller = [192, 0, 2];
    private readonly string _folder = Directory.CreateTempSubdirectory("securechat-work-").FullName;
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly ProofOfWork _work;

    public ProofOfWorkTests() => _work = new ProofOfWork(new MemoryHotStore(_clock), Secrets.Load(new SecretsOptions(), _folder), _clock);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_proof_is_good_once_for_its_caller_at_its_door_while_it_lives()
    {
        var proof = Solve(_work.Challenge("otp", Caller, 8), 8);

        Assert.False(await _work.RedeemAsync(proof, "register", Caller, Ct));
        Assert.False(await _work.RedeemAsync(proof, "otp", new byte[] { 192, 0, 3 }, Ct));
        Assert.True(await _work.RedeemAsync(proof, "otp", Caller, Ct));
        Assert.False(await _work.RedeemAsync(proof, "otp", Caller, Ct));

        var late = Solve(_work.Challenge("otp", Caller, 8), 8);
        _clock.Advance(ProofOfWork.Life + TimeSpan.FromSeconds(1));
        Assert.False(await _work.RedeemAsync(late, "otp", Caller, Ct));
    }

    [Fact]
    public async Task One_challenge_solved_in_many_ways_is_good_once()
    {
        var challenge = _work.Challenge("otp", Caller, 4);
        var proofs = Enumerable.Range(0, 200).Select(i => $"{challenge}.{i}").Where(proof => ProofOfWork.BitsOf(proof) >= 4).ToList();

        var redeemed = await Task.WhenAll(proofs.Select(proof => Task.Run(() => _work.RedeemAsync(proof, "otp", Caller, Ct).AsTask(), Ct)));

        Assert.True(proofs.Count > 1);
        Assert.Single(redeemed, true);
    }

    [Fact]
    public async Task A_challenge_that_was_altered_or_made_up_is_worth_nothing()
    {
        var challenge = _work.Challenge("otp", Caller, 8);
        var easier = challenge.ToCharArray();
        for (var i = 0; i < challenge.Length; i++)
        {
            (easier[i], var kept) = (easier[i] is 'A' ? 'B' : 'A', easier[i]);
            Assert.False(await _work.RedeemAsync(Solve(new string(easier), 8), "otp", Caller, Ct));
            easier[i] = kept;
        }

        foreach (var nonsense in new[] { null, "", ".", "x", challenge, challenge + ".", challenge + ".a b", challenge + "." + new string('a', 33), new string('.', 73) })
        {
            Assert.False(await _work.RedeemAsync(nonsense, "otp", Caller, Ct));
        }
    }

    [Fact]
    public void The_vector_that_clients_are_tested_with_is_what_the_server_does()
    {
        using var vector = JsonDocument.Parse(File.ReadAllText(Path.Combine(Sources.Root, "vectors/abuse/proof-of-work.json")));
        string Text(string name) => vector.RootElement.GetProperty(name).GetString()!;
        var difficulty = vector.RootElement.GetProperty("difficulty").GetInt32();

        var challenge = ProofOfWork.Challenge(
            ProofOfWork.KeyOf(Convert.FromHexString(Text("secret"))), Text("door"), Convert.FromHexString(Text("caller")), difficulty,
            DateTimeOffset.FromUnixTimeSeconds(vector.RootElement.GetProperty("expires").GetInt64()), Convert.FromHexString(Text("nonce")));

        Assert.Equal(Text("challenge"), challenge);
        Assert.True(ProofOfWork.BitsOf(Text("proof")) >= difficulty);
        Assert.True(ProofOfWork.BitsOf(Text("insufficientProof")) < difficulty);
    }

    /// <summary>What a client does.</summary>
    internal static string Solve(string challenge, int difficulty)
    {
        for (var i = 0; ; i++)
        {
            var proof = string.Create(CultureInfo.InvariantCulture, $"{challenge}.{i}");
            if (ProofOfWork.BitsOf(proof) >= difficulty)
            {
                return proof;
            }
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
