from tools import collect_author_names
from tools.collect_author_names import dated_surnames, main


def test_authors_with_a_year_are_collected():
    lines = [
        "Aus bus (Xyzzius & van der Yzz, 1901)",
        "Aus cus Norilsk",
        "Aus dus Turkey, 2001",
        "Aus eus L., 1758\tmore",
        "Aus fus",
    ]
    assert dated_surnames(lines) == {"Xyzzius", "Yzz"}


def test_the_file_keeps_what_it_has(tmp_path, monkeypatch, capsys):
    file = tmp_path / "author_names.txt"
    file.write_text("# Source.\nMeigen\n", encoding="utf-8")
    monkeypatch.setattr(collect_author_names, "FILE", file)
    (tmp_path / "list.txt").write_text("Aus bus Xyzzius, 1901\n", encoding="utf-8")
    main([str(tmp_path / "list.txt")])
    assert file.read_text(encoding="utf-8") == "# Source.\nMeigen\nXyzzius\n"
    assert capsys.readouterr().out.startswith("2 surnames")
