"""Lists the files that no row names, as services do it: all rows through the object mapper, all files through pathlib."""

import sys
from pathlib import Path

from sqlalchemy import BigInteger, Column, Text, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

Base = declarative_base()


class File(Base):
    __tablename__ = "files"
    id = Column(BigInteger, primary_key=True)
    path = Column(Text, nullable=False)


def referenced_files(session):
    return {file.path for file in session.query(File).all()}


def stored_files(root):
    files = []
    for path in root.rglob("*"):
        if path.is_file():
            files.append((str(path.relative_to(root)), path.stat().st_size))
    return files


def main():
    root, url = Path(sys.argv[1]), sys.argv[2].replace("postgres://", "postgresql+psycopg2://")
    with sessionmaker(bind=create_engine(url))() as session:
        referenced = referenced_files(session)
    for path, _size in stored_files(root):
        if path not in referenced:
            print(path)


main()
